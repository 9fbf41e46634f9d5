"""Server-sent events: the framing in which all three interfaces stream an answer."""

from __future__ import annotations

# No event of a model is longer; one that is would only fill the memory.
LONGEST = 16 << 20


class Events:
    """Bytes in, cut anywhere; the data of complete events out. Names and ids of events say nothing the data does not.

    Raises:
        ValueError: by `feed`, when an event is longer than `LONGEST`.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[str]:
        """The events that `data` completes."""
        # A carriage return at the end may be the first half of a line's end.
        whole = self._rest + data
        held = b"\r" if whole.endswith(b"\r") else b""
        lines = whole[: len(whole) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = lines.pop() + held
        found = []
        for line in lines:
            if not line and self._data:
                found.append(b"\n".join(self._data).decode("utf-8", "replace"))
                self._data, self._size = [], 0
            elif line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
                self._size += len(line)
        if self._size + len(self._rest) > LONGEST:
            raise ValueError(f"an event is longer than {LONGEST >> 20} MiB")
        return found
