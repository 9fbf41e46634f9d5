"""What a log shows, as plain lines to save or to read elsewhere: cleaned, as everything that is shown (SPEC W11)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.tasks import events as ev
from engine.tasks import journal
from tui.live.page import LogPage
from tui.present import sgr
from tui.present.plain import PlainLog
from tui.present.story import Command
from tui.present.text import clean

# A line without an end is written in pieces of so many bytes.
_PIECE = 1 << 20


def lines(page: LogPage) -> Iterator[str]:
    """The lines of what a page shows, outputs whole; only those that have a text where only those are shown."""
    needle = page.needle
    for line in _lines(page):
        if needle is None or not needle.only or needle.found_in(line):
            yield line


def _lines(page: LogPage) -> Iterator[str]:
    if page.feed is None:
        return
    if not page.scope.raw:
        yield from _story(page.feed.folder, page.feed.attempt)
        return
    for block in list(page.blocks):
        if isinstance(block, Command) and page.scope.has(block):
            if not page.scope.command:
                yield f"$ {clean(block.command)}"
            yield from _output(page.feed.path(block))


def _story(folder: Path, attempt: int) -> Iterator[str]:
    plain = PlainLog(colour=False)
    for event in journal.read_all(folder):
        if event.run == attempt or isinstance(event, ev.TaskStatus | ev.CacheDecision):
            yield from plain.lines(journal.with_text(folder, event))


def _output(path: Path) -> Iterator[str]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        while data := file.readline(_PIECE):
            shown = data.decode("utf-8", "replace").rstrip("\r\n").rpartition("\r")[2]
            yield sgr.plain(shown)
