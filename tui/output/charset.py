"""Terminals that do not take UTF-8: every character we show has one of ASCII (SPEC W8)."""

from __future__ import annotations

import os
from collections.abc import Mapping

from rich.cells import cell_len

_ROWS = {
    "-": "─━┄┅┈┉╌╍═╴╶╸╺╼╾—–−―‐‑‒▔▁▂⎯",
    "|": "│┃┆┇┊┋╎╏║╵╷╹╻╽╿▏▎▍▌▕▐",
    "+": "┌┍┎┏┐┑┒┓└┕┖┗┘┙┚┛├┝┞┟┠┡┢┣┤┥┦┧┨┩┪┫┬┭┮┯┰┱┲┳┴┵┶┷┸┹┺┻┼┽┾┿╀╁╂╃╄╅╆╇╈╉╊╋"
         "╔╗╚╝╠╣╦╩╬╒╓╕╖╘╙╛╜╞╟╡╢╤╥╧╨╪╫╭╮╯╰⊕±",
    "#": "█▓▇▆▅▉▊▋■▮◼▪",
    "=": "▒▄▀▃≡",
    ".": "░…⋯·•∙⋅◦․",
    "*": "●◆★✎✱✶✻✽◉",
    "o": "○◌◯◇□▯◻⊘⊙",
    ">": "▶▸►→❯›»➜⟩↦",
    "<": "◀◂◄←❮‹«⟨↤",
    "^": "▲▴↑⌃⇧",
    "v": "▼▾↓⌄⌵",
    "x": "✗✘✕✖×⨯",
    "V": "✓✔",
    "!": "⚠❗‼≠",
    "~": "≈∼↻⟳⟲↺",
    "/": "╱⁄",
    "\\": "╲",
    '"': "“”„‟",
    "'": "‘’‚‛`´",
    "u": "µ",
    "P": "¶",
    "S": "§",
    " ": "\xa0\u2002\u2003\u2009\u202f⠀",
}  # fmt: skip
_ASCII = {ord(character): plain for plain, characters in _ROWS.items() for character in characters}


def takes_utf8(variables: Mapping[str, str] | None = None) -> bool:
    """Whether the locale says that the terminal takes UTF-8.

    Where no locale is set at all it most likely does: so Python takes it too.
    """
    own = os.environ if variables is None else variables
    kind, language = own.get("LC_CTYPE", ""), own.get("LANG", "")
    if kind == "C.UTF-8" and language in ("C", "POSIX"):
        # Python itself has put it there (PEP 538).
        kind = ""
    name = (own.get("LC_ALL") or kind or language or "C.UTF-8").lower()
    return "utf-8" in name or "utf8" in name


def to_ascii(text: str) -> str:
    """The same text in ASCII, in as many columns."""
    if text.isascii():
        return text
    return "".join(map(_plain, text))


def _plain(character: str) -> str:
    if character.isascii():
        return character
    return _ASCII.get(ord(character)) or "?" * cell_len(character)
