"""The colours of a program's output: SGR sequences of a cleaned line as styled pieces of text.

Blinking and concealed text are shown as plain text: nothing moves, nothing hides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from rich.color import Color
from rich.style import Style

from tui.present.text import clean_output

_SGR = re.compile(r"\x1b\[([0-9;:]*)m")
_ON = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse", 9: "strike", 21: "underline"}
_OFF = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("reverse",), 29: ("strike",)}


def spans(line: str) -> list[tuple[str, Style]]:
    """The pieces of one line of output with their styles; the line itself need not be clean yet."""
    pieces = _SGR.split(clean_output(line))
    style = Style.null()
    found = [(pieces[0], style)] if pieces[0] else []
    for codes, text in zip(pieces[1::2], pieces[2::2], strict=True):
        style = _after(style, codes)
        if text:
            found.append((text, style))
    return found


def plain(line: str) -> str:
    """A line of output cleaned, without its colours."""
    return _SGR.sub("", clean_output(line))


@lru_cache(maxsize=512)
def _after(style: Style, codes: str) -> Style:
    """The style that holds after an SGR sequence with these parameters."""
    numbers = iter([min(int(code or 0), 255) for code in re.split("[;:]", codes)])
    attributes: dict[str, bool] = {name: True for name in _ON.values() if getattr(style, name)}
    colours: dict[str, Color | None] = {"color": style.color, "bgcolor": style.bgcolor}
    for number in numbers:
        if number == 0:
            attributes, colours = {}, {"color": None, "bgcolor": None}
        elif number in _ON:
            attributes[_ON[number]] = True
        elif number in _OFF:
            for name in _OFF[number]:
                attributes.pop(name, None)
        elif number in (38, 48):
            colours["color" if number == 38 else "bgcolor"] = _extended(numbers)
        elif number in (39, 49):
            colours["color" if number == 39 else "bgcolor"] = None
        elif 30 <= number <= 37 or 90 <= number <= 97:
            colours["color"] = Color.from_ansi(number - 30 if number < 90 else number - 82)
        elif 40 <= number <= 47 or 100 <= number <= 107:
            colours["bgcolor"] = Color.from_ansi(number - 40 if number < 100 else number - 92)
    return Style(**colours, **attributes)  # type: ignore[arg-type]


def _extended(numbers: Iterator[int]) -> Color | None:
    """The colour that follows 38 or 48: `5;N` or `2;R;G;B`; None when it is cut short."""
    kind = next(numbers, None)
    if kind == 5 and (number := next(numbers, None)) is not None:
        return Color.from_ansi(number)
    if kind == 2:
        red, green, blue = (next(numbers, None) for _ in range(3))
        if red is not None and green is not None and blue is not None:
            return Color.from_rgb(red, green, blue)
    return None
