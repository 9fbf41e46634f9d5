"""Blocks of the story as rows: the heading of a command, the lines of its output, texts wrapped to the width."""

from __future__ import annotations

from functools import lru_cache

from msgspec.structs import replace
from rich.cells import cell_len

from tui.live.line_index import Line
from tui.present import sgr, words
from tui.present.needle import places
from tui.present.row import Row, Span, marked, row, wrap
from tui.present.story import Command, Text, TextKind
from tui.present.text import one_line

TAIL = 50
_GUTTER: tuple[Span, ...] = ((" │ ", "faint"),)
# kind -> (glyph, role of the glyph, role of the text)
_LOOK: dict[TextKind, tuple[str, str, str]] = {
    "phase": ("", "muted", "muted"),
    "prompt": ("›", "accent", "strong"),
    "message": ("¶", "accent", ""),
    "thought": ("·", "muted", "muted"),
    "plan": ("≡", "accent", ""),
    "tool": ("▪", "accent", ""),
    "file": ("✎", "accent", ""),
    "notice": ("·", "muted", "muted"),
    "warning": ("!", "warn", "warn"),
    "denied": ("✗ network", "bad", ""),
    "error": ("✗", "bad", "bad"),
    "answer": ("", "ok", ""),
    "end": ("", "", ""),
}


def command_row(command: Command, now: float, *, unfolded: bool | None = None) -> Row:
    """The heading of a command: state, what it runs, how long it took, its exit code, whether it is unfolded."""
    glyph, role = words.state(command.status)
    seconds = now - command.started_at if command.running else command.duration
    took = words.clock(seconds) if command.running else words.short_time(seconds)
    code = {"timeout": "time", "killed": "kill", "lost": "lost"}.get(command.status, "")
    if not code and command.exit_code is not None:
        code = str(command.exit_code)
    shown = command.shows_output if unfolded is None else unfolded
    fold = "▾" if shown else "▸" if command.size else " "
    right: tuple[Span, ...] = (
        (f"{took:>7}", "muted"),
        (f"{code:>5}", "bad" if command.failed else "faint"),
        (f" {fold} ", "muted"),
    )
    text_role = "strong" if command.failed or command.running else ""
    return row((f" {glyph} ", role), (one_line(command.command), text_role), right=right)


@lru_cache(maxsize=2048)
def output_row(line: Line, lead: str = "") -> Row:
    """One line of output in its own colours; what a carriage return overwrote is marked `␍`."""
    text = line.data.decode("utf-8", "replace").rstrip("\r")
    head, over, last = text.rpartition("\r")
    spans: list[Span] = [("␍", "faint"), *sgr.spans(last)] if over and head.strip() else list(sgr.spans(last))
    if line.cut:
        spans.append((f"… {line.cut:,} bytes not shown", "warn"))
    return _inner(lead, *spans, wraps=True)


def _inner(lead: str, *spans: Span, wraps: bool = False) -> Row:
    """A row under the heading of a command, behind its rule."""
    gutter = f"{lead} │ "
    return Row(((gutter, "faint"), *spans), fixed=len(gutter), wraps=wraps)


def command_line_row(text: str, lead: str = "") -> Row:
    """A further line of a command of several lines."""
    return _inner(lead, (text, "muted"), wraps=True)


def above_row(hidden: int, lead: str = "") -> Row:
    """Stands for the beginning of a long output that is not shown; `hidden` is 0 while its lines are not counted."""
    said = f"{words.count(hidden, 'line')} above" if hidden else "more above"
    return _inner(lead, (f"⋯ {said} · enter shows all", "muted"))


def counting_row(lead: str = "") -> Row:
    """Stands for the beginning of an output whose lines are being counted."""
    return _inner(lead, ("⋯ the lines above are being counted", "muted"))


def empty_row(command: Command, lead: str = "") -> Row:
    """Says that a command printed nothing, or nothing yet."""
    return _inner(lead, ("no output yet" if command.running else "no output", "muted"))


def with_lead(line: Row, lead: str) -> Row:
    """A row behind a lead, such as a time, that stays where it is when the rest goes sideways."""
    return replace(line, left=((lead, "faint"), *line.left), fixed=line.fixed + len(lead)) if lead else line


@lru_cache(maxsize=1024)
def with_needle(line: Row, needle: str) -> Row:
    """A row with what is looked for marked in it."""
    text = "".join(text for text, _ in line.left)
    parts = [(max(first, line.fixed), last) for first, last in places(text, needle) if last > line.fixed]
    return replace(line, left=tuple(marked(line.left, parts, "match"))) if parts else line


def text_rows(block: Text, width: int) -> list[Row]:
    """A text wrapped to the width, its first line with its glyph."""
    if block.kind == "phase":
        rule = "─" * max(0, width - len(block.text) - 5)
        return [row((" ─ ", "faint"), (block.text, "muted"), (f" {rule}", "faint"))]
    if block.kind == "end":
        return _end_rows(block, width)
    if block.kind == "answer":
        return _answer_rows(block, width)
    glyph, glyph_role, role = _LOOK[block.kind]
    if block.kind == "tool":
        glyph_role = words.state(block.status)[1]
    lead = f" {glyph} "
    lines = wrap(block.text, width - len(lead) - len(block.right) - 4)
    if not block.unfolded and len(lines) > 1:
        lines = (f"{lines[0]} …",)
    right: tuple[Span, ...] = ((f"{block.right}  ", "muted"),) if block.right else ()
    rows = [row((lead, glyph_role), (lines[0], role), right=right)]
    rows += [row(" " * len(lead), (line, role)) for line in lines[1:]]
    for line in block.hint.splitlines():
        rows.append(Row((*_GUTTER, *sgr.spans(line))))
    return rows


def _answer_rows(block: Text, width: int) -> list[Row]:
    rule = "─" * max(0, width - 11)
    rows = [row(""), row((" ─ ", "ok"), ("answer", "ok strong"), (f" {rule}", "ok"))]
    code = False
    for line in wrap(block.text, width - 4):
        if line.lstrip().startswith("```"):
            code = not code
            continue
        heading = not code and line.startswith("#")
        role = "string" if code else "strong" if heading else ""
        rows.append(row("   ", (line.lstrip("# ") if heading else line, role)))
    return [*rows, row("")]


def _end_rows(block: Text, width: int) -> list[Row]:
    glyph, role = words.state(block.status)
    said = _ending(block)
    lines = wrap(said, width - 5)
    beside = len(lines) == 1 and cell_len(lines[0]) + cell_len(block.hint) + 8 <= width
    rows = [row((f" {glyph} ", role), (lines[0], f"strong {role}"))]
    if beside:
        return [replace(rows[0], right=((f"{block.hint}  ", "muted"),))]
    rows += [row("   ", (line, role)) for line in lines[1:]]
    return rows + [row("   ", (line, "muted")) for line in wrap(block.hint, width - 5) if line]


def _ending(block: Text) -> str:
    """The status and its reason, which may begin with the same word."""
    if not block.text or block.text.startswith(block.status):
        return block.text or block.status
    return f"{block.status}: {block.text}"


def plain_text(block: Text) -> list[str]:
    """A text as lines without a width."""
    if block.kind == "end":
        return ["", _ending(block)]
    if block.kind in ("phase", "answer"):
        heading = ["", f"── {block.text if block.kind == 'phase' else 'answer'}"]
        return heading if block.kind == "phase" else [*heading, *block.text.splitlines()]
    glyph = _LOOK[block.kind][0]
    first, *more = block.text.splitlines() or [""]
    return [f"{glyph} {first}", *(f"{' ' * len(glyph)} {line}" for line in more), *block.hint.splitlines()]


def plain_end(command: Command) -> str:
    """How a command ended."""
    if command.running:
        return "(runs)"
    how = command.status if command.exit_code is None else f"exit {command.exit_code}"
    return f"({how} in {words.short_time(command.duration)})"
