"""Network secrets: what may be one, and where it goes."""

from __future__ import annotations

import base64

import pytest

from engine.errors import UsageError
from engine.network.credentials import Credential, make_credential, new_placeholder, with_credentials
from engine.network.request import Request, parse_tunnelled_request

HIDDEN = "fumehood-key-0123456789"


def request(fields: str, host: str = "api.x.org", port: int = 443) -> Request:
    return parse_tunnelled_request(f"GET / HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n".encode(), host, port)


@pytest.mark.parametrize("host", ["", "x", "*.x.org", "x.org/", "https://x.org", "x.org:0", "x org", "preset:all"])
def test_it_is_bound_to_plain_hosts(host: str) -> None:
    with pytest.raises(UsageError):
        make_credential([host], b"v", header="X")


@pytest.mark.parametrize("value", [b"", b" v", b"v\r\nX: y", b"v\n", b"\xff", b"a\0b"])
def test_a_value_that_breaks_a_header_is_refused_without_being_shown(value: bytes) -> None:
    with pytest.raises(UsageError) as caught:
        make_credential(["x.org"], value.replace(b"v", b"hushhush"), header="X")
    assert "hushhush" not in str(caught.value)


def test_exactly_one_way_of_giving_it() -> None:
    for ways in ({}, {"header": "X", "placeholder": HIDDEN}, {"placeholder": "short"}):
        with pytest.raises(UsageError):
            make_credential(["x.org"], b"v", **ways)
    with pytest.raises(UsageError, match="no host"):
        make_credential([], b"v", header="X")


def test_it_goes_to_its_hosts_exactly() -> None:
    credential = make_credential(["API.x.org", "other.org:8443"], b"v", header="X-Key")
    assert credential.bound_to("api.x.org", 443)
    assert credential.bound_to("other.org", 8443)
    for host, port in (("api.x.org", 80), ("a.api.x.org", 443), ("x.org", 443), ("other.org", 443)):
        assert not credential.bound_to(host, port)
        assert with_credentials(request("X-Key: mine\r\n", host, port), [credential]) == [(b"X-Key", b"mine")]


def test_where_a_placeholder_is_replaced() -> None:
    credential = make_credential(["api.x.org"], b"v", placeholder=HIDDEN)
    pair = base64.b64encode(f"u:{HIDDEN}".encode()).decode()
    fields = f"A: {HIDDEN}\r\nB: x {HIDDEN};{HIDDEN}\r\nC: basic {pair}\r\nD: Basic {pair}x\r\n{HIDDEN}: n\r\n"
    assert with_credentials(request(fields), [credential]) == [
        (b"A", b"v"),
        (b"B", b"x v;v"),
        (b"C", b"Basic " + base64.b64encode(b"u:v")),
        (b"D", f"Basic {pair}x".encode()),
        (HIDDEN.encode(), b"n"),
    ]


def test_a_header_takes_the_place_of_all_of_its_name() -> None:
    credential = make_credential(["api.x.org"], b"v", header="Authorization")
    fields = with_credentials(request("authorization: a\r\nAUTHORIZATION: b\r\nZ: 1\r\n"), [credential])
    assert fields == [(b"Z", b"1"), (b"Authorization", b"v")]


def test_what_could_name_another_account_is_taken_out_for_its_hosts_only() -> None:
    credential = make_credential(["api.x.org"], b"v", header="X-Key", drops=["Authorization", "cookie"])
    fields = "AUTHORIZATION: Bearer other\r\nA: b\r\nCookie: c\r\nx-key: mine\r\n"
    assert with_credentials(request(fields), [credential]) == [(b"A", b"b"), (b"X-Key", b"v")]
    assert len(with_credentials(request(fields, "other.org"), [credential])) == 4


def test_it_is_never_shown() -> None:
    credential = make_credential(["api.x.org"], b"hushhush", header="X")
    assert "hushhush" not in repr(credential)
    assert isinstance(credential, Credential)


def test_placeholders_differ_and_say_what_they_are() -> None:
    made = {new_placeholder("API_KEY") for _ in range(50)}
    assert len(made) == 50
    assert all(text.startswith("fumehood-api-key-") for text in made)
