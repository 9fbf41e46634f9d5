"""What is told of a pull or a build while it goes on: few lines, made from the engine's many messages."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from engine import sizes

# What a layer takes unpacked, as a multiple of its download: two to three times is usual.
UNPACKED = 3
_LINE_LENGTH = 300
_TAIL_LINES = 20


class Pace:
    """Lets a line through once a second at most, and never the same one twice in a row."""

    def __init__(self, tell: Callable[[str], None], seconds: float = 1.0) -> None:
        self._tell, self._seconds = tell, seconds
        self._next = time.monotonic()
        self._last = ""

    def due(self) -> bool:
        """Whether the time has come for another line."""
        return time.monotonic() >= self._next

    def say(self, line: str) -> None:
        """Tell it now."""
        self._next = time.monotonic() + self._seconds
        if line != self._last:
            self._tell(line)
        self._last = line


class _Layer(Struct):
    """Bytes of a layer's download: all of them, those that came, those that are unpacked."""

    total: int = 0
    come: int = 0
    unpacked: int = 0
    done: bool = False


class Layers:
    """The layers of an image that is being pulled; a size is known once a layer's download has begun."""

    def __init__(self) -> None:
        self._layers: dict[str, _Layer] = {}

    def feed(self, message: Mapping[str, Any]) -> None:
        """Take one message of the engine; those that speak of no layer change nothing."""
        status, name = str(message.get("status", "")), str(message.get("id", ""))
        detail = message.get("progressDetail")
        if not name or not isinstance(detail, dict):
            return
        if status == "Already exists":
            self._layers.pop(name, None)
            return
        layer = self._layers.setdefault(name, _Layer())
        layer.total = max(layer.total, int(detail.get("total") or 0))
        if status == "Downloading":
            layer.come = int(detail.get("current") or 0)
        elif status in ("Verifying Checksum", "Download complete"):
            layer.come = layer.total
        elif status == "Extracting":
            layer.come, layer.unpacked = layer.total, int(detail.get("current") or 0)
        elif status == "Pull complete":
            layer.come, layer.unpacked, layer.done = layer.total, layer.total, True

    @property
    def needed(self) -> int:
        """Bytes of disk that what is known of it still takes: what is to come, and all of it unpacked."""
        left = self._layers.values()
        return sum(layer.total - layer.come + UNPACKED * (layer.total - layer.unpacked) for layer in left)

    def __str__(self) -> str:
        layers = self._layers.values()
        if not layers:
            return "asking the registry"
        done = sum(layer.done for layer in layers)
        come, total = sum(layer.come for layer in layers), sum(layer.total for layer in layers)
        least = "" if all(layer.total or layer.done for layer in layers) else "at least "
        size = f"{sizes.words(come)} of {least}{sizes.words(total)}"
        return f"{done} of {len(layers)} layers, {size}" if total or done else f"{len(layers)} layers"


class Steps:
    """A build: its steps, the last lines of the one that runs, the image it came to."""

    def __init__(self) -> None:
        self.step = ""
        self.image = ""
        self.error = ""
        self.line = ""
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self.layers = Layers()

    def feed(self, message: Mapping[str, Any]) -> Iterator[str]:
        """Take one message of the engine; gives the steps that begin."""
        if "error" in message:
            self.error = str(message["error"])
        aux = message.get("aux")
        if isinstance(aux, dict) and "ID" in aux:
            self.image = str(aux["ID"])
        if "progressDetail" in message:
            self.layers.feed(message)
            self.line = f"the base image: {self.layers}"
        # The engine itself adds the colours, to what was printed as an error.
        for part in re.split(r"[\r\n]+", re.sub("\x1b\\[(91|0)m", "", str(message.get("stream", "")))):
            line = part.strip()[:_LINE_LENGTH]
            if begun := re.match(r"Step (\d+)/\d+ : (.*)", line):
                self.step, self.line = f"step {begun[1]}: {begun[2]}", ""
                self.tail.clear()
                # The labels that mark an image as ours are steps, too.
                if not begun[2].startswith("LABEL fumehood"):
                    yield self.step
            elif line and not line.startswith(("---> ", "Removing intermediate container")):
                self.line = line
                self.tail.append(line)
