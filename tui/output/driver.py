"""The terminal as Textual drives it, except that nothing waits for it and its end is noticed (SPEC W8)."""

from __future__ import annotations

import codecs
import os
import select
import signal
import sys
from typing import TYPE_CHECKING, Any, cast

from textual import events
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size
from textual.message import Message

from tui import terminal
from tui.output.charset import takes_utf8, to_ascii
from tui.output.screenful import Screenful
from tui.output.writer import Writer

if TYPE_CHECKING:
    from textual.app import App

    from tui.app import Workbench

# Seconds in which several new sizes of the window are taken for one.
_SETTLE = 0.05
# Seconds that a terminal has, at the end, to take what was written.
_LAST = 1.0


class TerminalDriver(LinuxDriver):
    """Keys in, frames out."""

    def __init__(self, app: App[Any], *, debug: bool = False, mouse: bool = True,
                 size: tuple[int, int] | None = None) -> None:  # fmt: skip
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.screenful = Screenful()
        self._resizing = False
        translate = str if takes_utf8() else to_ascii
        self._writer = Writer(sys.__stdout__.fileno() if sys.__stdout__ else 1, translate)
        self._writer.start()

    # Out

    @property
    def backlog(self) -> int:
        """Bytes that the terminal has not taken yet."""
        return self._writer.backlog

    def write(self, data: str) -> None:
        """Have this written; never waits."""
        self._writer.write(data)

    def close(self) -> None:
        """Let the terminal take what was written, if it does so soon."""
        super().close()
        self._writer.drain(_LAST)

    # From the start to the end

    def start_application_mode(self) -> None:
        """Also after the terminal was lent to another program: what it shows now is not known."""
        self.screenful.forget()
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self.attrs_before = terminal.attributes() or self.attrs_before
        signal.signal(signal.SIGWINCH, lambda *_: self._loop.call_soon_threadsafe(self._resized))

    def _resized(self) -> None:
        # A window that is drawn larger has many sizes; each would be laid out and painted.
        if not self._resizing:
            self._resizing = True
            self._loop.call_later(_SETTLE, self._resize)

    def _resize(self) -> None:
        self._resizing = False
        self.screenful.forget()
        size = Size(*self._get_terminal_size())
        self.send_message(events.Resize(size, size))

    # In

    def run_input_thread(self) -> None:
        """Read keys until told to stop, or the terminal is gone."""
        parser = XTermParser(self._debug)
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        while not self.exit_event.is_set():
            if select.select([self.fileno], [], [], 0.1)[0]:
                try:
                    data = os.read(self.fileno, 4096)
                except OSError:
                    data = b""
                if not data:
                    self._loop.call_soon_threadsafe(cast("Workbench", self._app).terminal_lost)
                    return
                for message in parser.feed(decode(data)):
                    self.process_message(message)
            for message in parser.tick():
                self.process_message(message)

    def process_message(self, message: Message) -> None:
        """Sizes that the terminal tells by itself are settled too."""
        if isinstance(message, events.Resize):
            self._loop.call_soon_threadsafe(self._resized)
        else:
            super().process_message(message)
