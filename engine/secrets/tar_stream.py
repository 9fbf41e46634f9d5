"""Reading a tar as it comes, without unpacking anything (SECURITY-CASES G07) and in little memory.

The standard library's reader pulls from a file and takes names of any length into memory; this one is pushed into by
whoever has the bytes, and its input is not trusted. It knows what tar and container engines write: ustar, GNU long
names and numbers, pax headers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

from engine.errors import EngineError

_BLOCK = 512
_NAME_LIMIT = 1 << 20
_REGULAR = (b"0", b"\0", b"7")
_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL = b"L", b"K", b"x", b"g"


class TarReader(ABC):
    """Feed it a tar in pieces; it tells what is in there through the methods that a subclass gives it."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._state: Literal["header", "name", "content", "padding", "end"] = "header"
        self._left = 0
        self._padding = 0
        self._kind = b""
        self._overrides: dict[str, bytes] = {}

    @abstractmethod
    def entry(self, path: bytes, link: bytes) -> None:
        """A file, folder or link begins; `link` is what a link points to."""

    @abstractmethod
    def content(self, data: bytes) -> None:
        """The next bytes of the regular file that began last."""

    @abstractmethod
    def content_ended(self) -> None:
        """That was all of the file."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the tar.

        Raises:
            EngineError: this is no tar, or one with names of absurd length.
        """
        self._buffer += data
        while self._step():
            pass

    def finish(self) -> None:
        """The tar has ended.

        Raises:
            EngineError: it was cut short.
        """
        if self._state != "end":
            raise EngineError("the list of changed files was cut short", "start again")

    def _step(self) -> bool:
        """Go on by one piece; False when more bytes are needed."""
        if self._state == "header":
            if len(self._buffer) < _BLOCK:
                return False
            self._header(self._taken(_BLOCK))
        elif self._state == "name":
            if len(self._buffer) < self._left:
                return False
            self._name(self._taken(self._left))
            self._pad()
        elif self._state == "content":
            return self._content()
        elif self._state == "padding":
            if len(self._buffer) < self._padding:
                return False
            self._taken(self._padding)
            self._state = "header"
        else:
            self._buffer.clear()
            return False
        return True

    def _content(self) -> bool:
        if self._left and not self._buffer:
            return False
        if self._left:
            data = self._taken(min(self._left, len(self._buffer)))
            self._left -= len(data)
            if self._kind in _REGULAR:
                self.content(data)
        if not self._left:
            if self._kind in _REGULAR:
                self.content_ended()
            self._pad()
        return True

    def _header(self, block: bytes) -> None:
        if not any(block):
            self._state = "end"
            return
        if _number(block[148:156]) != sum(block[:148]) + 8 * 0x20 + sum(block[156:]):
            raise _damaged()
        self._kind = block[156:157]
        size = _number(block[124:136])
        if self._kind in (_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL):
            if size > _NAME_LIMIT:
                raise EngineError(f"a name of {size} bytes among the changed files", "setup made it; remove it there")
            self._begin("name", size)
            return
        path, link = block[:100].rstrip(b"\0"), block[157:257].rstrip(b"\0")
        if block[257:263] == b"ustar\0" and block[345] != 0:
            path = block[345:500].rstrip(b"\0") + b"/" + path
        self.entry(self._overrides.get("path", path), self._overrides.get("linkpath", link))
        if "size" in self._overrides:
            size = _decimal(self._overrides["size"])
        self._overrides = {}
        # What is no regular file has no content, whatever its size says; of unknown kinds the content is passed over.
        self._begin("content", 0 if self._kind in b"123456" else size)

    def _begin(self, state: Literal["name", "content"], size: int) -> None:
        self._state, self._left, self._padding = state, size, -size % _BLOCK

    def _pad(self) -> None:
        self._state = "padding" if self._padding else "header"

    def _name(self, data: bytes) -> None:
        if self._kind == _LONG_NAME:
            self._overrides["path"] = data.rstrip(b"\0")
        elif self._kind == _LONG_LINK:
            self._overrides["linkpath"] = data.rstrip(b"\0")
        elif self._kind == _PAX:
            self._overrides |= _pax(data)

    def _taken(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data


def _pax(data: bytes) -> dict[str, bytes]:
    """The records of a pax header that matter: lines of `LENGTH KEY=VALUE`."""
    found: dict[str, bytes] = {}
    position = 0
    while position < len(data):
        digits, _, _ = data[position : position + 20].partition(b" ")
        length = _decimal(digits)
        record = data[position + len(digits) + 1 : position + length - 1]
        if length < len(digits) + 3 or position + length > len(data):
            raise _damaged()
        key, _, value = record.partition(b"=")
        if key in (b"path", b"linkpath", b"size"):
            found[key.decode()] = value
        position += length
    return found


def _number(field: bytes) -> int:
    """A number of a header: octal text, or GNU's binary form for large ones."""
    if field[0] & 0x80:
        return int.from_bytes(field, "big") & ~(0x80 << 8 * (len(field) - 1))
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        raise _damaged() from None


def _decimal(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > 20:
        raise _damaged()
    return int(digits)


def _damaged() -> EngineError:
    return EngineError("the list of changed files is damaged: not a tar", "is the `tar` of the image GNU tar?")
