"""Looking for secrets in what a diff adds, before it is published (SPEC S4, SECURITY-CASES S12).

Not looked into: binary files, which a diff holds compressed.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import accumulate, pairwise

from msgspec import Struct, field

from engine.secrets.patterns import Patterns
from engine.secrets.secret import Secret

_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_C_ESCAPE = re.compile(rb'\\([0-7]{3}|[abfnrtv"\\])')
_C_CHARACTERS = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}

# What the makers of these credentials publish about their looks, so that they can be told in a diff.
_LIKELY = {
    "a private key": rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|\bAGE-SECRET-KEY-1[0-9A-Z]{40,}",
    "an AWS key": rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a GitHub token": rb"\bgh[opusr]_[A-Za-z0-9]{36,}|\bgithub_pat_[A-Za-z0-9_]{40,}",
    "a GitLab token": rb"\bgl(?:pat|dt|rt|ptt|cbt)-[A-Za-z0-9_-]{20,}",
    "a Slack token": rb"\bxox[abeprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/[A-Z0-9]+/[A-Z0-9]+/\w{16,}",
    "a Stripe key": rb"\b[rs]k_live_[A-Za-z0-9]{16,}",
    "a model provider's key": rb"\bsk-(?:ant|proj|svcacct|or)-[A-Za-z0-9_-]{20,}|\bsk-[A-Za-z0-9]{40,}",
    "a Google key": rb"\bAIza[0-9A-Za-z_-]{35}|\bGOCSPX-[A-Za-z0-9_-]{20,}",
    "a package registry token": rb"\bnpm_[A-Za-z0-9]{36}|\bpypi-AgE[A-Za-z0-9_-]{40,}",
    "a Hugging Face token": rb"\bhf_[A-Za-z0-9]{30,}",
    "a signed token (JWT)": rb"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}",
    "a password in an address": rb"\b[a-z][a-z0-9+.-]*://[^\s/:@'\"<>${}]+:[^\s/:@'\"<>${}*]{6,}@[\w.-]+",
}
_LIKELY_PATTERNS = {what: re.compile(pattern) for what, pattern in _LIKELY.items()}
_ASSIGNED = re.compile(
    rb"(?i)(?:secret|token|passw(?:or)?d|api_?key|access_?key|auth)[\w.-]{0,20}[\"']?\s{0,4}(?::|=|=>|:=)\s{0,4}"
    rb"[\"']?([A-Za-z0-9+/_=.-]{20,})"
)
_LINE_LIMIT = 10_000


class Finding(Struct, frozen=True, order=True):
    """Line `line` (from 1, of the new file) of `path` holds `what`; `known` when it is the value of one of our secrets.

    Line 0 is the file's name. `path` has bytes that are not text as \\xNN.
    """

    path: str
    line: int
    what: str
    known: bool


class _File(Struct):
    """What a diff adds to one file: its lines, and the number of each."""

    path: bytes = b""
    lines: list[bytes] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)


def scan_diff(diff: bytes, values: Mapping[str, Secret]) -> list[Finding]:
    """The secrets in names and added lines of a unified diff of git, sorted; at most one of a kind for each line.

    Args:
        values: our own secrets, found in every form we know; others are found by their looks.
    """
    patterns = Patterns(values)
    found: set[Finding] = set()
    for file in _files(diff):
        path = file.path.decode("utf-8", "backslashreplace")
        found |= {Finding(path, 0, f"secret {match.secret}", True) for match in patterns.search(file.path)}
        text = b"\n".join(file.lines)
        starts = list(accumulate((len(line) + 1 for line in file.lines), initial=0))
        for match in patterns.search(text):
            line = file.numbers[bisect_right(starts, match.start) - 1]
            found.add(Finding(path, line, f"secret {match.secret}", True))
        known = {finding.line for finding in found if finding.path == path}
        for number, content in zip(file.numbers, file.lines, strict=True):
            if number not in known and (what := likely(content)):
                found.add(Finding(path, number, what, False))
    return sorted(found)


def likely(line: bytes) -> str:
    """What a line seems to hold that should be secret; empty for ordinary lines."""
    line = line[:_LINE_LIMIT]
    for what, pattern in _LIKELY_PATTERNS.items():
        if pattern.search(line):
            return what
    if any(_random(match[1]) for match in _ASSIGNED.finditer(line)):
        return "a value that looks random, under the name of a secret"
    return ""


def _random(value: bytes) -> bool:
    """Whether letters and digits are mixed as in a key, unlike in names, versions, paths and calls."""
    kinds = sum(any(low <= byte <= high for byte in value) for low, high in (b"az", b"AZ", b"09"))
    changes = sum((a in b"0123456789") != (b in b"0123456789") for a, b in pairwise(value))
    return kinds >= 2 and len(set(value)) >= 12 and changes >= 4


def _files(diff: bytes) -> Iterator[_File]:
    """Each file of the diff with what is added to it; lines of a hunk are told from headers by its counts."""
    file = _File()
    old = new = number = 0
    for line in diff.split(b"\n"):
        if old > 0 or new > 0:
            kind = line[:1]
            if kind == b"+":
                file.lines.append(line[1:])
                file.numbers.append(number)
            if kind in (b"+", b" ", b""):
                new, number = new - 1, number + 1
            if kind in (b"-", b" ", b""):
                old -= 1
        elif line.startswith(b"diff --git "):
            if file.path:
                yield file
            file = _File(_new_name(line))
        elif line.startswith(b"+++ ") and line != b"+++ /dev/null":
            file.path = _unquoted(line.removeprefix(b"+++ "), b"b/")
        elif line.startswith((b"rename to ", b"copy to ")):
            file.path = _unquoted(line.partition(b" to ")[2], b"")
        elif hunk := _HUNK.match(line):
            old, number, new = int(hunk[1] or 1), int(hunk[2]), int(hunk[3] or 1)
    if file.path:
        yield file


def _new_name(line: bytes) -> bytes:
    """The name of `diff --git a/NAME b/NAME`, for files without the lines that say it better."""
    rest = line.removeprefix(b"diff --git ")
    return _unquoted(rest[len(rest) // 2 + 1 :], b"b/")


def _unquoted(name: bytes, prefix: bytes) -> bytes:
    """A name as git prints it, which is in C's quotes when it is out of the ordinary."""
    name = name.rstrip(b"\t")
    if name[:1] == b'"' and name[-1:] == b'"' and len(name) > 1:
        name = _C_ESCAPE.sub(_unescaped, name[1:-1])
    return name.removeprefix(prefix)


def _unescaped(match: re.Match[bytes]) -> bytes:
    text = match[1]
    return bytes([int(text, 8) & 0xFF]) if len(text) == 3 else _C_CHARACTERS.get(text, text)
