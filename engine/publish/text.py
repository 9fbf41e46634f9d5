"""What a result is called and how it is described where it is published, from its prompt and answer."""

from __future__ import annotations

import re

TITLE_LENGTH = 72
_LINE_LIMIT = 64 << 10


def proposed(prompt: str, answer: str) -> tuple[str, str]:
    """Title and body: a short first paragraph or heading of the answer is the title, else the prompt's first line."""
    body = readable(answer).strip()[:_LINE_LIMIT]
    first, _, rest = body.partition("\n")
    heading = re.fullmatch(r"#{1,6}\s+(.+?)\s*#*", first)
    alone = not rest or rest.startswith("\n")
    if (heading or alone) and 0 < len(_plain(first)) <= TITLE_LENGTH:
        return _plain(first), rest.strip()
    lines = [line.strip() for line in readable(prompt).splitlines()]
    return _cut(next((line for line in lines if line), "Result of a task")), body


def readable(text: str) -> str:
    """The text without control characters and those that are invisible or change its direction."""
    return "".join(c for c in text.replace("\r\n", "\n") if c.isprintable() or c in "\n\t")


def message(title: str, body: str) -> str:
    """A commit message."""
    return f"{title}\n\n{body}".strip() + "\n"


def split(text: str) -> tuple[str, str]:
    """Title and body of a text as `message` makes it."""
    title, _, body = text.strip().partition("\n")
    return title.strip(), body.strip()


def _plain(line: str) -> str:
    bare = re.sub(r"^#{1,6}\s+|\s+#+$", "", line)
    return re.sub(r"^[\s*_]+|[\s*_]+$", "", bare).removesuffix(".").rstrip()


def _cut(line: str) -> str:
    """The line, cut between words where it is too long."""
    if len(line) <= TITLE_LENGTH:
        return line
    return line[: TITLE_LENGTH - 1].rsplit(" ", 1)[0].rstrip(" ,;:.") + "…"
