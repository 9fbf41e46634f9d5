"""The text of an environment file in an editor: its lines with their own endings, its syntax as spans, its problems."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from engine.environment.document import TOKEN
from tui.present.row import Row, Span, row
from tui.present.text import one_line

if TYPE_CHECKING:
    from engine.bench.environments import Edited

# Colouring a larger text at every key would be felt.
_COLOURED = 64 << 10


def with_line_ends(original: str, lines: Sequence[str]) -> str:
    """The text that has these lines, each one that `original` had too with the ending it has there.

    An editor joins its lines with one kind of line break; files may have several, and those not edited are to stay.
    """
    parts = original.splitlines(keepends=True)
    bare = [part.splitlines()[0] for part in parts]
    ends = [part[len(text) :] for part, text in zip(parts, bare, strict=True)]
    if not ends or ends[-1]:
        bare, ends = [*bare, ""], [*ends, ""]
    usual = max(("\n", "\r\n"), key=ends.count)
    head = _alike(bare, lines)
    tail = _alike(bare[head:][::-1], lines[head:][::-1])
    kept = dict(enumerate(ends[:head]))
    kept |= {len(lines) - n: ends[len(ends) - n] for n in range(1, tail + 1)}
    matcher = SequenceMatcher(None, bare[head : len(bare) - tail], lines[head : len(lines) - tail], autojunk=False)
    for _, a1, a2, b1, b2 in matcher.get_opcodes():
        # A line that was changed keeps its ending as well.
        for offset in range(min(a2 - a1, b2 - b1)):
            kept[head + b1 + offset] = ends[head + a1 + offset]
    last = len(lines) - 1
    return "".join(line + ("" if n == last else kept.get(n) or usual) for n, line in enumerate(lines))


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines at the beginning are the same."""
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def row_of(text: str, line: int) -> int:
    """The editor's row (from 0) of a line (from 1) of the file: an editor breaks lines where TOML does not."""
    return len("".join(part + "\n" for part in text.split("\n")[: line - 1]).splitlines())


def visible(line: str) -> str:
    """A line with one character for each of its own, none of which a terminal acts on or hides (SPEC W11)."""
    if line.isascii() and line.isprintable():
        return line
    return "".join(c if c.isprintable() or c == "\t" else _SHOWN.get(c, "\ufffd") for c in line)


_SHOWN = {chr(code): chr(0x2400 + code) for code in range(0x20)} | {"\x7f": "␡"}


def coloured(lines: Sequence[str]) -> list[list[tuple[int, int, str]]]:
    """For each line of a TOML text: from column, to column, role; nothing for one too large to do it at every key."""
    found: list[list[tuple[int, int, str]]] = [[] for _ in lines]
    text = "\n".join(lines)
    if len(text) > _COLOURED:
        return found
    line, begin, depth, where = 0, 0, 0, "start"
    for token in TOKEN.finditer(text):
        kind, word = token.lastgroup or "", token.group()
        if kind == "newline":
            line, begin = line + 1, token.end()
            if where != "value" or depth <= 0:
                where, depth = "start", 0
            continue
        if where == "start" and kind != "space":
            where = "header" if kind == "open" else "key"
        role = _role(kind, word, where)
        pieces = word.split("\n")
        for n, piece in enumerate(pieces):
            start = 0 if n else token.start() - begin
            if role and piece:
                found[line + n].append((start, start + len(piece), role))
        if len(pieces) > 1:
            line, begin = line + len(pieces) - 1, token.end() - len(pieces[-1])
        if where == "value":
            depth += (kind == "open") - (kind == "close")
        elif word == "=" and where == "key":
            where = "value"
    return found


def _role(kind: str, word: str, where: str) -> str:
    if kind == "space":
        return "comment" if word.startswith("#") else ""
    if where == "header":
        return "name"
    if where == "key":
        return "accent" if kind in ("bare", "string") else ""
    if kind == "bare":
        return "number" if word[0].isdigit() else "keyword"
    return "string" if kind == "string" else ""


def problem_rows(edited: Edited | None) -> list[Row]:
    """One row for each problem, in the order of the file; none when there is nothing wrong."""
    rows = []
    for problem in edited.problems if edited else ():
        glyph: Span = (" ✗ ", "bad") if problem.severity == "error" else (" ! ", "warn")
        where = f"line {problem.line}" if problem.line else "file"
        said = f"{problem.key}: {problem.message}" if problem.key else problem.message
        hint = f" · {problem.hint}" if problem.hint else ""
        rows.append(row(glyph, (f"{where:<9}", "muted"), said, (hint, "muted")))
    return rows


def effect_row(edited: Edited | None, *, changed: bool, fault: str = "") -> Row:
    """What saving does to the snapshot, or why it does not do what it should."""
    if fault:
        return row((" ✗ ", "bad"), (fault, "bad"), role="bar")
    if edited is None:
        return row((" checking …", "muted"), role="bar")
    wrong = sum(problem.severity == "error" for problem in edited.problems)
    if wrong:
        said = "1 problem" if wrong == 1 else f"{wrong} problems"
        return row((" ✗ ", "bad"), (said, "bad"), (" · no task starts before it is solved", "muted"), role="bar")
    if not changed:
        return row((" ✓ ", "ok"), ("no problems", ""), (" · nothing to save", "muted"), role="bar")
    effect = edited.effect
    if effect is None:
        return row(
            (" ✓ ", "ok"), "no problems", (" · the file had some, and no snapshot to compare", "muted"), role="bar"
        )
    glyph: Span = {"nothing": (" ✓ ", "ok"), "maintenance": (" ↻ ", "warn"), "setup": (" ! ", "warn")}[effect.again]
    return row(glyph, ("saving: ", "muted"), (effect.text, ""), role="bar")


def candidate_row(text: str, doc: str) -> Row:
    """Something that could be written, and what it means."""
    shown = text if len(text) < 24 else f"{text[:22]}…"
    return row((f" {shown:<24} ", "strong"), (one_line(doc), "muted"))
