"""The value of a secret, held so that nothing which prints or stores objects prints or stores it."""

from __future__ import annotations

from typing import NoReturn


class Secret:
    """A value that only `reveal` gives away: print, format, repr (tracebacks with locals) show `Secret(***)`."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The value itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __format__(self, specification: str) -> str:
        return repr(self)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled or copied")
