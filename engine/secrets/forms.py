"""The ways in which a secret is written in logs and files (SPEC S3, SECURITY-CASES part 4).

Not covered, and so said in SECURITY.md: reversed, rot13, compressed, encoded twice in base64, joined by a character
other than white space, dumps with offsets in between.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

# Below this a value would match ordinary text everywhere; it is not masked, and its owner is told (S07).
SHORTEST = 8
_COMMON = frozenset(
    b"password changeme localhost username postgres undefined production development administrator anonymous "
    b"12345678 123456789 1234567890".split()
)
_ARMOUR = re.compile(r"-----(?:BEGIN|END) [^-]*-----")
# A string of a JSON secret that says nothing: a name in plain words, or an address without credentials.
_TELLS_NOTHING = re.compile(r"[a-z]+(?:[_. -][a-z]+){0,3}|https?://[^@\s]*")
_UNSAFE_IN_SHELL = re.compile(r"([^A-Za-z0-9_./:=@%+,\-\n\x80-\U0010ffff])")
_ANSI_C = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\E", "\a": "\\a", "\b": "\\b"}


def maskable(value: bytes) -> bool:
    """Whether a value is long and rare enough to be told from ordinary text."""
    bare = value.strip()
    return len(bare) >= SHORTEST and bare.lower() not in _COMMON and len(set(bare)) > 2


def forms(value: bytes, *, for_files: bool = False) -> dict[bytes, str]:
    """Every literal to look for, with the name of the form it is; empty when the value is not maskable.

    Each part of the value (whole, lines, strings of a JSON document) is taken in each encoding; literals shorter than
    `SHORTEST` are left out.

    Args:
        for_files: leave out those strings of a JSON document that any file may hold, such as "service_account".
    """
    found: dict[bytes, str] = {}
    if not maskable(value):
        return found
    for part, kind in _parts(value.decode("utf-8", "surrogateescape"), for_files):
        for form, literal in _encodings(part):
            if len(literal) >= SHORTEST:
                found.setdefault(literal, f"{kind}{form}")
    return found


def _parts(value: str, for_files: bool) -> Iterator[tuple[str, str]]:
    yield value, ""
    yield value.strip(), ""
    leaves = _json_strings(value)
    if not leaves:
        yield from _lines(value)
    for leaf in leaves:
        if maskable(_bytes(leaf)) and not (for_files and _TELLS_NOTHING.fullmatch(leaf)):
            yield leaf, "a string of it, "
            yield from _lines(leaf)


def _lines(value: str) -> Iterator[tuple[str, str]]:
    """The value with other line ends, and each line of it that is a secret of its own."""
    lines = value.strip().splitlines()
    if len(lines) < 2:
        return
    bare = [line.strip() for line in lines]
    for joined in ("\n".join(bare), "\r\n".join(bare), "".join(bare), "\n".join(lines), "\r\n".join(lines)):
        yield joined, ""
    for line in bare:
        if maskable(_bytes(line)) and not _ARMOUR.fullmatch(line):
            yield line, "a line of it, "


def _json_strings(value: str) -> list[str]:
    """The strings that a JSON object or array holds, without its keys."""
    if not value.lstrip().startswith(("{", "[")):
        return []
    try:
        pending = [json.loads(value)]
    except (ValueError, RecursionError):
        return []
    found = []
    while pending:
        node = pending.pop()
        if isinstance(node, str):
            found.append(node)
        elif isinstance(node, dict):
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
    return found


def _encodings(part: str) -> Iterator[tuple[str, bytes]]:
    raw = _bytes(part)
    yield "as it is", raw
    for name, texts in (("JSON", _json(part)), ("shell", _shell(part)), ("HTML", _html(part))):
        for text in texts:
            yield name, _bytes(text)
    yield "Python", _bytes(repr(part)[1:-1])
    yield "Python", repr(raw)[2:-1].encode()
    for url in _url(raw):
        yield "URL", url.encode()
    for literal in _base64(raw):
        yield "base64", literal
    for digits in (raw.hex(), raw.hex().upper()):
        yield "hex", digits.encode()
        yield "hex", "".join(f"\\x{digits[i : i + 2]}" for i in range(0, len(digits), 2)).encode()


def _bytes(text: str) -> bytes:
    """What `text` was: undecodable bytes kept, a lone surrogate out of JSON as `json.dumps` would have to write it."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _json(part: str) -> Iterator[str]:
    for ascii_only in (True, False):
        once = json.dumps(part, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield once.replace("/", "\\/")
        # As Go and some web frameworks write it.
        yield once.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]


def _shell(part: str) -> Iterator[str]:
    yield shlex.quote(part).strip("'")
    yield part.replace("'", "'\\''")
    yield part.replace('"', '\\"')
    yield part.replace("$", "\\$")
    yield re.sub(r'(["$`\\])', r"\\\1", part)
    yield _UNSAFE_IN_SHELL.sub(r"\\\1", part)
    # $'…', which `printf %q` and `set -x` use for control characters, and for other than ASCII in the C locale.
    quoted = "".join(_ANSI_C.get(character, character) for character in part)
    yield quoted
    yield "".join(chr(byte) if byte < 0x80 else f"\\{byte:03o}" for byte in _bytes(quoted))


def _html(part: str) -> Iterator[str]:
    yield html.escape(part)
    bare = html.escape(part, quote=False)
    yield bare
    yield bare.replace('"', "&#34;").replace("'", "&#39;")
    yield bare.replace('"', "&quot;").replace("'", "&apos;")


def _url(raw: bytes) -> Iterator[str]:
    for text in (
        quote(raw, safe=""),
        quote(raw),
        quote_plus(raw),
        quote(raw, safe="!~*'()"),
        quote(raw, safe=";,/?:@&=+$!~*'()#"),
        "".join(f"%{byte:02X}" for byte in raw),
    ):
        yield text
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), text)


def _base64(raw: bytes) -> Iterator[bytes]:
    """Base64 of the value behind 0, 1 or 2 other bytes, less the characters that depend on its neighbours."""
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + raw)
        first = (before * 8 + 5) // 6
        last = len(whole) if (len(raw) + before) % 3 == 0 else len(whole.rstrip(b"=")) - 1
        yield whole[first:last]
        yield whole[first:last].translate(bytes.maketrans(b"+/", b"-_"))
