"""What a log shows, as plain lines to save or to read elsewhere: cleaned, as everything that is shown (SPEC W11)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tui.live.line_index import opened
from tui.live.page import LogPage
from tui.present import blocks, sgr
from tui.present.story import Block, Text
from tui.present.text import clean

# A line without an end is written in pieces of so many bytes.
_PIECE = 1 << 20


def lines(page: LogPage) -> Iterator[str]:
    """The lines of what a page shows, outputs whole; only those that have a text where only those are shown."""
    needle = page.needle
    for block in list(page.blocks):
        if page.scope.has(block):
            for line in _block(page, block):
                if needle is None or not needle.only or needle.found_in(line):
                    yield line


def _block(page: LogPage, block: Block) -> Iterator[str]:
    if isinstance(block, Text):
        yield from (clean(line).rstrip() for line in blocks.plain_text(block))
        return
    if not page.scope.command:
        yield from (
            f"{'$' if not number else ' '} {clean(line)}" for number, line in enumerate(block.command.splitlines())
        )
    if page.feed is not None:
        yield from _output(page.feed.path(block))
    if not page.scope.raw:
        yield blocks.plain_end(block)


def _output(path: Path) -> Iterator[str]:
    try:
        file = os.fdopen(opened(path), "rb")
    except FileNotFoundError:
        return
    with file:
        while data := file.readline(_PIECE):
            yield sgr.plain(data.decode("utf-8", "replace").rstrip("\r\n").rpartition("\r")[2])
