"""A log out of the workbench: into a file, or into the user's pager."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from engine.errors import EngineError
from tui.live.page import LogPage
from tui.live.plain_log import lines
from tui.present import words

if TYPE_CHECKING:
    from tui.app import Workbench


def save(app: Workbench, page: LogPage) -> None:
    """Ask for a name, then write in a thread."""
    from tui.screens.save_file import SaveFile

    assert page.feed is not None
    name = "-".join(filter(None, (page.feed.folder.name, page.scope.command))) + ".log"

    def named(path: Path | None) -> None:
        if path is not None:
            app.run_worker(lambda: _save(app, page, path), thread=True, group="save", exit_on_error=False)

    app.push_screen(SaveFile("Write the log to a file", name), named)


def _save(app: Workbench, page: LogPage, path: Path) -> None:
    try:
        said = f"Wrote {words.count(write(path, lines(page)), 'line')} to {path}"
    except EngineError as error:
        app.call_from_thread(app.tell, error.message, hint=error.hint, bad=True)
    else:
        app.call_from_thread(app.tell, said)


def write(path: Path, text: Iterable[str]) -> int:
    """Write lines to a new file; returns how many.

    Raises:
        EngineError: it exists, or cannot be written.
    """
    count = 0
    try:
        with path.open("x", encoding="utf-8", errors="replace") as file:
            for line in text:
                file.write(f"{line}\n")
                count += 1
    except FileExistsError as error:
        raise EngineError(f"{path} exists", "choose another name") from error
    except OSError as error:
        raise EngineError(f"cannot write {path}: {error.strerror}", "choose another place") from error
    return count


def read(app: Workbench, page: LogPage) -> None:
    """Hand the terminal to the user's pager until it ends."""
    try:
        with app.suspend():
            fault = run_pager(lines(page))
    except SuspendNotSupported:
        fault = "this terminal cannot be handed over; s writes the log to a file"
    if fault:
        app.tell(fault, bad=True)


def run_pager(text: Iterable[str]) -> str:
    """Feed lines to `$PAGER` until it ends or they do; returns what went wrong.

    It reads plain text from its standard input, so whatever its options, there is nothing in it to act on.
    """
    wanted = os.environ.get("PAGER") or shutil.which("less") or "more"
    # Interrupting is for the pager, which has the terminal.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        process = subprocess.Popen(
            shlex.split(wanted), stdin=subprocess.PIPE, text=True, encoding="utf-8", errors="replace"
        )
        assert process.stdin is not None
        # It may be left before it has read everything.
        with suppress(BrokenPipeError), process.stdin as pipe:
            for line in text:
                pipe.write(f"{line}\n")
        process.wait()
    except (OSError, ValueError) as error:
        return f"the pager {wanted!r} does not start: {error}"
    finally:
        signal.signal(signal.SIGINT, before)
    return ""
