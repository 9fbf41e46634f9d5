"""Screens as SVG, one or several after one another; fonts are the reader's own, nothing is loaded from anywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme

_CELL, _LINE, _SIZE, _MARGIN = 8.4, 17.0, 14, 10
_FONTS = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace"
# Of the colour of the text, in text that is dim.
_DIM = 0.6


@dataclass(frozen=True, slots=True)
class Frame:
    """A screen, and for how many seconds it is seen."""

    rows: Sequence[Sequence[Segment]]
    seconds: float = 0.0


def document(frames: Sequence[Frame], colours: TerminalTheme) -> str:
    """The SVG; with several frames they follow one another for ever.

    Args:
        frames: of one size.
        colours: those of a terminal, for text that has no colour of its own.
    """
    looks: dict[str, str] = {}
    ground = _ground(frames[0], colours)
    # (row, what is drawn of it) -> the frames it is drawn in
    drawn: dict[tuple[int, str], list[int]] = {}
    for number, frame in enumerate(frames):
        for y, row in enumerate(frame.rows):
            if made := _row(row, y, colours, looks, ground):
                drawn.setdefault((y, made), []).append(number)
    columns = max(sum(cell_len(segment.text) for segment in row) for row in frames[0].rows)
    width, height = columns * _CELL + 2 * _MARGIN, len(frames[0].rows) * _LINE + 2 * _MARGIN
    spans: dict[tuple[int, ...], str] = {}
    body = []
    for (_, made), seen in drawn.items():
        if len(seen) == len(frames):
            body.append(made)
        else:
            name = spans.setdefault(tuple(seen), f"f{len(spans)}")
            body.append(f'<g class="{name}">{made}</g>')
    style = [f"text {{ font: {_SIZE}px {_FONTS}; white-space: pre; }}"]
    style += [f".{name} {{ {look} }}" for look, name in looks.items()]
    style += _animation(frames, spans)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}">\n'
        f"<style>\n{chr(10).join(style)}\n</style>\n"
        f'<rect width="100%" height="100%" rx="6" fill="{ground}"/>\n'
        f'<g transform="translate({_MARGIN} {_MARGIN})">\n{chr(10).join(body)}\n</g>\n</svg>\n'
    )


def _ground(frame: Frame, colours: TerminalTheme) -> str:
    """What is behind most of the cells."""
    cells: Counter[str] = Counter()
    for row in frame.rows:
        for text, _, behind in _runs(row, colours):
            cells[behind] += cell_len(text)
    return cells.most_common(1)[0][0]


def _row(row: Sequence[Segment], y: int, colours: TerminalTheme, looks: dict[str, str], ground: str) -> str:
    made, x, top = [], 0, y * _LINE
    for text, look, behind in _runs(row, colours):
        cells = cell_len(text)
        if behind != ground:
            made.append(
                f'<rect x="{x * _CELL:g}" y="{top:g}" width="{cells * _CELL:g}" height="{_LINE:g}" fill="{behind}"/>'
            )
        bare = text.strip()
        if bare:
            start = x + cell_len(text[: len(text) - len(text.lstrip())])
            name = looks.setdefault(look, f"s{len(looks)}")
            made.append(
                f'<text class="{name}" x="{start * _CELL:g}" y="{top + 13:g}"'
                f' textLength="{cell_len(bare) * _CELL:g}">{escape(bare)}</text>'
            )
        x += cells
    return "".join(made)


def _runs(row: Sequence[Segment], colours: TerminalTheme) -> list[tuple[str, str, str]]:
    """Text, what it looks like, what is behind it; pieces that look alike are one."""
    runs: list[tuple[str, str, str]] = []
    for segment in row:
        look, ground = _look(segment.style or Style(), colours)
        if runs and runs[-1][1:] == (look, ground):
            runs[-1] = (runs[-1][0] + segment.text, look, ground)
        else:
            runs.append((segment.text, look, ground))
    return runs


def _look(style: Style, colours: TerminalTheme) -> tuple[str, str]:
    front = style.color.get_truecolor(colours) if style.color else colours.foreground_color
    back = style.bgcolor.get_truecolor(colours, foreground=False) if style.bgcolor else colours.background_color
    if style.reverse:
        front, back = back, front
    if style.dim:
        front = tuple(round(_DIM * f + (1 - _DIM) * b) for f, b in zip(front, back, strict=True))  # type: ignore[assignment]
    look = "fill: #{:02x}{:02x}{:02x};".format(*tuple(front))
    look += " font-weight: bold;" if style.bold else ""
    look += " font-style: italic;" if style.italic else ""
    look += " text-decoration: underline;" if style.underline else ""
    return look, "#{:02x}{:02x}{:02x}".format(*tuple(back))


def _animation(frames: Sequence[Frame], spans: dict[tuple[int, ...], str]) -> list[str]:
    whole = sum(frame.seconds for frame in frames)
    starts = (
        [100 * sum(frame.seconds for frame in frames[:number]) / whole for number in range(len(frames))]
        if whole
        else []
    )
    made = []
    for seen, name in spans.items():
        steps = [
            f"{starts[number]:.2f}% {{ visibility: {'visible' if number in seen else 'hidden'} }}"
            for number in range(len(frames))
            if number == 0 or (number in seen) != (number - 1 in seen)
        ]
        made.append(f"@keyframes {name} {{ {' '.join(steps)} }}")
        made.append(f".{name} {{ animation: {name} {whole:g}s step-end infinite; }}")
    return made
