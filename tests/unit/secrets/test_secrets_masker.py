"""Masking: no form of a secret survives, however the stream is cut; text without one is left as it is."""

from __future__ import annotations

import base64
import html
import json
import math
import pickle
import re
import shlex
import subprocess
import traceback
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.secrets.forms import forms, maskable
from engine.secrets.masker import MASK, Masker
from engine.secrets.patterns import squeeze
from engine.secrets.secret import Secret

PEM = "-----BEGIN KEY-----\n" + base64.encodebytes(bytes(range(7, 120))).decode() + "-----END KEY-----\n"
VALUES = {
    "TOKEN": "tok-ABCDEFGH12345678",
    "ODD": 'p@ss "w0rd"/+=$x&<y>\\z\'q',
    "UMLAUTS": "päßwörd-ünïcode-1",
    "PEM": PEM,
    "SHORT": "abcabcabd",
    "SHORT_OVERLAP": "cabdabcab",
    "JSON": json.dumps({"type": "service_account", "n": 5, "nested": [{"key": "inner-Value-9381"}]}, indent=2),
}
SECRETS = {name: Secret(value.encode()) for name, value in VALUES.items()}
MASKER = Masker(SECRETS)
LITERALS = sorted({literal for secret in SECRETS.values() for literal in forms(secret.reveal())})


def streamed(data: bytes, cuts: list[int], masker: Masker = MASKER) -> bytes:
    stream, out, position, turn = masker.stream(), b"", 0, 0
    while position < len(data):
        size = cuts[turn % len(cuts)]
        out += stream.feed(data[position : position + size])
        position, turn = position + size, turn + 1
    return out + stream.flush()


PIECES = st.one_of(
    st.sampled_from(LITERALS),
    st.sampled_from(LITERALS).flatmap(lambda literal: st.integers(0, len(literal)).map(lambda cut: literal[:cut])),
    st.sampled_from(LITERALS).flatmap(lambda literal: st.integers(0, len(literal)).map(lambda cut: literal[cut:])),
    st.binary(max_size=5),
    st.sampled_from([b"\n", b" ", b"\x1b[31m", b"\x1b[", b"\x1b", b"abc", b"a", b"***"]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=9), st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_no_literal_survives_any_chunking(pieces: list[bytes], cuts: list[int]) -> None:
    data = b"".join(pieces)
    for out in (MASKER.data(data), streamed(data, cuts)):
        assert [literal for literal in LITERALS if literal in out] == []


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=8), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_a_stream_masks_what_the_whole_would(pieces: list[bytes], cuts: list[int]) -> None:
    data = b"".join(pieces)
    assert streamed(data, cuts).replace(b"***", b"") == MASKER.data(data).replace(b"***", b"")


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=400), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_text_without_a_secret_is_left_as_it_is(data: bytes, cuts: list[int]) -> None:
    tight = squeeze(data)
    if not any(literal in data or squeeze(literal) in tight for literal in LITERALS):
        assert streamed(data, cuts) == data
    assert streamed(data, cuts, Masker({})) == data


@settings(deadline=None)
@given(st.text())
def test_text_is_left_as_it_is(text: str) -> None:
    assert Masker({"T": Secret(b"tok-ABCDEFGH12345678")}).text(text) == text


def written(value: str) -> dict[str, bytes]:
    """The ways of SECURITY-CASES S05, made by the programs that a setup script would use."""
    raw = value.encode()

    def bash(script: str) -> bytes:
        done = subprocess.run(["bash", "-c", script, "x", value], capture_output=True, check=True, env={"LC_ALL": "C"})
        return done.stdout + done.stderr

    folded = "\n".join(raw.hex()[i : i + 60] for i in range(0, 2 * len(raw), 60)).encode()
    return {
        "raw": raw,
        "crlf": raw.replace(b"\n", b"\r\n"),
        **{f"base64 behind {n}": base64.b64encode(b"user:"[:n] + raw + b":x") for n in (0, 1, 2, 5)},
        "base64url": base64.urlsafe_b64encode(raw),
        "base64 wrapped": base64.encodebytes(b"user:" + raw),
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "plain dump": folded,
        "escapes": "".join(f"\\x{byte:02x}" for byte in raw).encode(),
        "url": quote(value, safe="").encode(),
        "url lower": re.sub("%..", lambda match: match[0].lower(), quote(value, safe="")).encode(),
        "url plus": quote_plus(value).encode(),
        "json": json.dumps({"k": value}).encode(),
        "json twice": json.dumps(json.dumps({"k": value})).encode(),
        "repr": repr(value).encode(),
        "html": html.escape(value).encode(),
        "shell": shlex.quote(value).encode(),
        "printf %q": bash('printf %q "$1"'),
        "set -x": bash('set -x; : "$1"'),
        "one character a line": b"\n".join(raw[i : i + 1] for i in range(len(raw))),
        "colour inside": raw[:7] + b"\x1b[0m\x1b[31m" + raw[7:],
    }


@pytest.mark.parametrize("name", ["TOKEN", "ODD", "UMLAUTS", "PEM"])
def test_every_form_of_s05_is_masked(name: str) -> None:
    masker = Masker({name: SECRETS[name]})
    core = [line for line in VALUES[name].split("\n") if len(line) >= 12 and "---" not in line]
    for form, data in written(VALUES[name]).items():
        out = streamed(b"before " + data + b" after\n", [1, 2, 3, 5, 8, 13], masker)
        assert MASK.encode() in out, form
        assert out.startswith(b"before "), form
        assert out.endswith(b" after\n"), form
        # What may be left: edges that depend on neighbours, armour, and quotes; never a run that tells something.
        bare = squeeze(out.removeprefix(b"before ").removesuffix(b" after\n"))
        left = [data[i : i + 10] for i in range(len(data) - 10) if squeeze(data[i : i + 10]) in bare]
        armour = ("BEGIN KEY", "END KEY")
        told = [piece for piece in left if len(squeeze(piece)) == 10 and name != "PEM"]
        assert told == [], form
        assert not any(line.encode() in out for line in core), (form, armour)


def test_each_string_of_a_json_secret_is_masked() -> None:
    assert MASKER.text("key is inner-Value-9381.") == "key is ***."
    assert MASKER.text('{"a":"service_account"}') == '{"a":"***"}'


def test_a_prompt_comes_out_at_once() -> None:
    stream = MASKER.stream()
    assert stream.feed(b"Continue? [y/N] ") == b"Continue? [y/N] "


def test_a_stub_is_held_then_shown_and_the_rest_still_masked() -> None:
    stream = Masker({"T": Secret(b"tok-ABCDEFGH12345678")}).stream()
    assert stream.feed(b"this is a hot") == b"this is a ho"
    assert stream.stale(now=0) == b""
    assert stream.stale(now=math.inf) == b"t"
    assert stream.stale(now=math.inf) == b""
    assert stream.feed(b"ok-ABCDEFGH12345678 :-)") == b"*** :-)"
    assert stream.flush() == b""


def test_more_than_a_stub_never_goes_out_by_time_alone() -> None:
    stream = Masker({"T": Secret(b"tok-ABCDEFGH12345678")}).stream()
    assert stream.feed(b"tok-") == b""
    assert stream.stale(now=math.inf) == b""
    assert stream.flush() == b"tok-"


def test_slow_printing_shows_three_characters_at_most() -> None:
    """SECURITY-CASES S06, with every pause longer than the wait."""
    stream, shown = Masker({"T": Secret(b"tok-ABCDEFGH12345678")}).stream(), b""
    for byte in b"tok-ABCDEFGH12345678\n":
        shown += stream.feed(bytes([byte])) + stream.stale(now=math.inf)
    assert shown + stream.flush() == b"tok***\n"


@pytest.mark.parametrize("value", [b"abc", b"1", b"true", b" true  \n", b"password", b"--------", b"localhost"])
def test_short_and_common_values_are_not_masked(value: bytes) -> None:
    assert not maskable(value)
    masker = Masker({"S": Secret(value)})
    assert not masker.patterns
    assert masker.text("abc 1 true password -------- localhost") == "abc 1 true password -------- localhost"


def test_a_secret_does_not_show_itself() -> None:
    secret = Secret(b"tok-ABCDEFGH12345678")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>30}", f"{[secret]!r}", "%s" % secret]  # noqa: UP031
    assert not any("ABCDEFGH" in text for text in shown)
    assert repr(secret) == "Secret(***)"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    try:
        raise ValueError(secret)
    except ValueError as error:
        lines = traceback.TracebackException.from_exception(error, capture_locals=True).format()
        assert "ABCDEFGH" not in "".join(line for line in lines if "Secret(b" not in line)
