"""The text on a terminal's screen, found out from the bytes written to it: fast enough not to disturb what is measured.

Colours are passed over; everything that moves text about is obeyed, as far as curses programs, Textual and tmux use it.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable

_TOKEN = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f]+)"
    r"|\x1b\[(?P<arguments>[0-?]*)(?P<between>[ -/]*)(?P<final>[@-~])"
    r"|\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\)"
    r"|\x1b(?P<short>[ -/]*[0-OQ-WYZ\\`-~])"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f])"
)
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
# More than any sequence is long: what does not end within it is no sequence.
_LONGEST = 1 << 16


class Screen:
    """A grid of characters and a cursor; rows and columns count from 0."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.row = self.column = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = ""
        self._grid = self._blank(rows)
        self._other = self._blank(rows)
        self._alternate = False
        self._saved = (0, 0)
        self._top, self._bottom = 0, rows - 1
        self._wraps = False
        self._last = " "

    def _blank(self, count: int) -> list[list[str]]:
        return [[" "] * self.columns for _ in range(count)]

    def line(self, row: int) -> str:
        """The text of a row; negative numbers count from the last."""
        return "".join(self._grid[row])

    @property
    def text(self) -> str:
        """All rows, one under another."""
        return "\n".join("".join(row) for row in self._grid)

    def feed(self, data: bytes) -> None:
        """Take in what a program wrote; a sequence that is not complete yet waits for its rest."""
        text = _COLOUR.sub("", self._pending + self._decoder.decode(data))
        position, end = 0, len(text)
        while position < end:
            found = _TOKEN.match(text, position)
            if found is None:
                if end - position < _LONGEST:
                    break
                position += 1
                continue
            position = found.end()
            self._token(found)
        self._pending = text[position:]

    def _token(self, found: re.Match[str]) -> None:
        if (written := found["text"]) is not None:
            self._write(written)
        elif (final := found["final"]) is not None:
            self._sequence(found["arguments"], final, found["between"])
        elif (short := found["short"]) is not None:
            self._short(short)
        elif (control := found["control"]) is not None:
            self._control(control)

    # Text

    def _write(self, text: str) -> None:
        self._last = text[-1]
        if not text.isascii():
            for character in text:
                self._put(character)
            return
        while text:
            self._wrap()
            part = text[: self.columns - self.column]
            text = text[len(part) :]
            self._grid[self.row][self.column : self.column + len(part)] = part
            self._advance(len(part))

    def _put(self, character: str) -> None:
        if unicodedata.combining(character) or character in "\u200d\ufe0f\ufe0e":
            return
        wide = unicodedata.east_asian_width(character) in "WF"
        self._wrap()
        self._grid[self.row][self.column] = character
        if wide and self.column + 1 < self.columns:
            self._grid[self.row][self.column + 1] = ""
        self._advance(1 + wide)

    def _advance(self, cells: int) -> None:
        self.column += cells
        if self.column >= self.columns:
            self.column, self._wraps = self.columns - 1, True

    def _wrap(self) -> None:
        """The first character after the last column goes to the next row."""
        if self._wraps:
            self._wraps = False
            self.column = 0
            self._down()

    # Moving

    def _move(self, row: int, column: int) -> None:
        self.row = min(max(row, 0), self.rows - 1)
        self.column = min(max(column, 0), self.columns - 1)
        self._wraps = False

    def _down(self) -> None:
        if self.row == self._bottom:
            self._scroll(self._top, self._bottom, 1)
        else:
            self.row = min(self.row + 1, self.rows - 1)

    def _up(self) -> None:
        if self.row == self._top:
            self._scroll(self._top, self._bottom, -1)
        else:
            self.row = max(self.row - 1, 0)

    def _scroll(self, top: int, bottom: int, rows: int) -> None:
        """Move the rows from `top` to `bottom` up, or down when `rows` is negative."""
        count = min(abs(rows), bottom - top + 1)
        kept = self._grid[top : bottom + 1]
        new = self._blank(count)
        self._grid[top : bottom + 1] = kept[count:] + new if rows > 0 else new + kept[: len(kept) - count]

    def _control(self, control: str) -> None:
        if control == "\r":
            self._move(self.row, 0)
        elif control in "\n\v\f":
            self._wraps = False
            self._down()
        elif control == "\b":
            self._move(self.row, self.column - 1)
        elif control == "\t":
            self._move(self.row, self.column // 8 * 8 + 8)

    def _short(self, short: str) -> None:
        if short == "D":
            self._down()
        elif short == "M":
            self._up()
        elif short == "E":
            self._move(self.row, 0)
            self._down()
        elif short == "7":
            self._saved = (self.row, self.column)
        elif short == "8":
            self._move(*self._saved)
        elif short == "c":
            self._grid = self._blank(self.rows)
            self._top, self._bottom = 0, self.rows - 1
            self._move(0, 0)

    # Sequences

    def _sequence(self, arguments: str, final: str, between: str) -> None:
        if arguments[:1] in "<=>?" and arguments:
            if arguments[0] == "?" and final in "hl" and arguments[1:] in ("47", "1047", "1049"):
                self._switch(final == "h")
            return
        if between:
            return
        numbers = [int(part) if part.isdigit() else 0 for part in arguments.split(";")]
        first = numbers[0]
        known = self._MOVES.get(final)
        if known is not None:
            known(self, max(1, first))
        elif final in "Hf":
            self._move(max(1, first) - 1, max(1, numbers[1] if len(numbers) > 1 else 1) - 1)
        elif final == "J":
            self._erase_rows(first)
        elif final == "K":
            start, end = ((self.column, self.columns), (0, self.column + 1), (0, self.columns))[min(first, 2)]
            self._erase(start, end)
        elif final == "r":
            last = numbers[1] if len(numbers) > 1 and numbers[1] else self.rows
            self._top, self._bottom = max(1, first) - 1, min(last, self.rows) - 1
            self._move(0, 0)
        elif final == "s":
            self._saved = (self.row, self.column)
        elif final == "u":
            self._move(*self._saved)

    def _switch(self, alternate: bool) -> None:
        if alternate != self._alternate:
            self._alternate = alternate
            self._grid, self._other = self._other, self._grid
        if alternate:
            self._grid = self._blank(self.rows)

    def _erase(self, start: int, end: int) -> None:
        end = min(end, self.columns)
        self._grid[self.row][start:end] = " " * (end - start)

    def _erase_rows(self, how: int) -> None:
        if how == 0:
            self._erase(self.column, self.columns)
            self._grid[self.row + 1 :] = self._blank(self.rows - self.row - 1)
        elif how == 1:
            self._erase(0, self.column + 1)
            self._grid[: self.row] = self._blank(self.row)
        else:
            self._grid = self._blank(self.rows)

    def _insert(self, count: int) -> None:
        line = self._grid[self.row]
        line[self.column : self.column] = " " * count
        del line[self.columns :]

    def _delete(self, count: int) -> None:
        line = self._grid[self.row]
        del line[self.column : self.column + count]
        line.extend(" " * (self.columns - len(line)))

    def _lines(self, count: int) -> None:
        if self._top <= self.row <= self._bottom:
            self._scroll(self.row, self._bottom, count)
            self._move(self.row, 0)

    _MOVES: dict[str, Callable[[Screen, int], None]] = {
        "A": lambda self, n: self._move(max(self.row - n, self._top if self.row >= self._top else 0), self.column),
        "B": lambda self, n: self._move(
            min(self.row + n, self._bottom if self.row <= self._bottom else self.rows), self.column
        ),
        "C": lambda self, n: self._move(self.row, self.column + n),
        "D": lambda self, n: self._move(self.row, self.column - n),
        "E": lambda self, n: self._move(self.row + n, 0),
        "F": lambda self, n: self._move(self.row - n, 0),
        "G": lambda self, n: self._move(self.row, n - 1),
        "`": lambda self, n: self._move(self.row, n - 1),
        "d": lambda self, n: self._move(n - 1, self.column),
        "S": lambda self, n: self._scroll(self._top, self._bottom, n),
        "T": lambda self, n: self._scroll(self._top, self._bottom, -n),
        "L": lambda self, n: self._lines(-n),
        "M": lambda self, n: self._lines(n),
        "P": lambda self, n: self._delete(n),
        "@": lambda self, n: self._insert(n),
        "X": lambda self, n: self._erase(self.column, self.column + n),
        "b": lambda self, n: self._write(self._last * n),
    }
