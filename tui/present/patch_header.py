"""The lines before the hunks of a file in a git patch: which file it is, and what happened to it besides its lines."""

from __future__ import annotations

import re

from msgspec import Struct, field

_ESCAPED = re.compile(rb"\\([0-7]{3}|.)")
_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_LITERAL = re.compile(rb"(literal|delta) (\d{1,12})")
_MODES = {"100755": "executable", "120000": "symbolic link", "160000": "submodule"}
_LFS = b"version https://git-lfs.github.com/spec/"


class FileDiff(Struct):
    """One file of a patch.

    Attributes:
        status: git's letter: A, M, D, R, C, or T when only its mode changed.
        notes: what changed besides lines, in words.
        hidden: the patch holds characters in it that cannot be seen or that change the direction of others.
        digest: changes with the part of the patch that is about this file.
        row: the row of its heading.
    """

    path: str = ""
    old_path: str = ""
    status: str = "M"
    added: int = 0
    removed: int = 0
    binary: bool = False
    hidden: bool = False
    notes: list[str] = field(default_factory=list)
    digest: str = ""
    row: int = 0


def read_header(lines: list[bytes], first: bytes = b"") -> FileDiff:
    """Read the lines from `diff --git` to the first hunk; `first` is the first line of that hunk."""
    file = FileDiff()
    modes: dict[str, str] = {}
    facts: dict[str, str] = {}
    for number, line in enumerate(lines):
        if line.startswith((b"GIT binary patch", b"Binary files ")):
            file.binary = True
            file.notes.append(_binary(lines[number + 1 :]))
            break
        _line(file, line, modes, facts)
    if "similar" in facts and file.status in "RC":
        same = facts["similar"]
        file.notes.append(f"{facts['how']} from {file.old_path}" + (f", {same} the same" if same != "100%" else ""))
    if not first and file.status == "M" and "old" in modes and not file.binary:
        file.status = "T"
    file.notes += _mode_notes(modes)
    if first[1:].startswith(_LFS):
        file.notes.append("Git LFS pointer: what is stored elsewhere is not in this diff")
    if not first and not file.notes and file.status in "AD":
        file.notes.append("empty file")
    return file


def _line(file: FileDiff, line: bytes, modes: dict[str, str], facts: dict[str, str]) -> None:
    word, _, rest = line.partition(b" ")
    if line.startswith(b"diff --git "):
        file.path = _both_names(line[len(b"diff --git ") :])
    elif word == b"+++" and rest != b"/dev/null":
        file.path = _name(rest)
    elif word == b"---" and rest != b"/dev/null":
        file.old_path = _name(rest)
    elif line.startswith(b"new file mode "):
        file.status, modes["is"] = "A", _ascii(line[14:])
    elif line.startswith(b"deleted file mode "):
        file.status, modes["is"] = "D", _ascii(line[18:])
    elif line.startswith(b"old mode "):
        modes["old"] = _ascii(line[9:])
    elif line.startswith(b"new mode "):
        modes["new"] = _ascii(line[9:])
    elif word == b"index" and rest.endswith(b" 160000"):
        modes["is"] = "160000"
    elif line.startswith(b"similarity index "):
        facts["similar"] = _ascii(line[17:])
    elif line.startswith((b"rename from ", b"copy from ")):
        file.status, facts["how"] = ("R", "renamed") if word == b"rename" else ("C", "copied")
        file.old_path = _name(rest[5:], prefixed=False)
    elif line.startswith((b"rename to ", b"copy to ")):
        file.path = _name(rest[3:], prefixed=False)


def _mode_notes(modes: dict[str, str]) -> list[str]:
    notes = [_MODES.get(mode, f"mode {mode}") for mode in [modes.get("is", "100644")] if mode != "100644"]
    if "old" in modes and "new" in modes:
        change = f"(mode {modes['old']} → {modes['new']})"
        bits = [mode[-3:] for mode in (modes["old"], modes["new"])]
        words = {("644", "755"): "made executable ", ("755", "644"): "no longer executable "}
        notes.append(words.get((bits[0], bits[1]), "") + change)
    return notes


def _binary(lines: list[bytes]) -> str:
    """What a binary patch says of sizes: the new content comes first, whole (`literal`) or as a difference."""
    sizes = [(match[1], int(match[2])) for line in lines if (match := _LITERAL.fullmatch(line))]
    if len(sizes) == 2 and all(how == b"literal" for how, _ in sizes):
        return f"binary file, {sizes[1][1]:,} → {sizes[0][1]:,} bytes"
    return "binary file"


def _both_names(names: bytes) -> str:
    """The name in `a/NAME b/NAME`: both are the same when nothing else in the header names the file."""
    if names.startswith(b'"'):
        return _name(names[: names.find(b'" ') + 1])
    return _name(names[: len(names) // 2])


def _name(name: bytes, *, prefixed: bool = True) -> str:
    """A file name as git writes it: quoted with escapes when it holds unusual bytes, with a/ or b/ before it."""
    name = name.rstrip(b"\t")
    if name.startswith(b'"') and name.endswith(b'"'):
        name = _ESCAPED.sub(_unescaped, name[1:-1])
    return (name[2:] if prefixed and name[:2] in (b"a/", b"b/") else name).decode("utf-8", "replace")


def _unescaped(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return bytes([int(code, 8) & 255]) if len(code) == 3 else _ESCAPES.get(code, code)


def _ascii(data: bytes) -> str:
    return data.decode("ascii", "replace")
