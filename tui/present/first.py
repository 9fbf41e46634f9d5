"""The first look at a project, as rows: each fact beside its name, with what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tui.present.row import Row, Span, row

if TYPE_CHECKING:
    from engine.environment.first import FirstLook

_NAME = 10
_MOST_COMMANDS = 4


def rows(look: FirstLook) -> list[Row]:
    """What was found, what setup runs, what it reaches, which agent works."""
    return [line for part in (_found(look), _setup(look), _reach(look), _agent(look)) for line in (row(""), *part)]


def _fact(name: str, *spans: Span | str) -> Row:
    return row((f" {name:<{_NAME}}", "muted"), *spans)


def _found(look: FirstLook) -> Iterator[Row]:
    first = "found"
    if look.origin:
        yield _fact(first, (look.origin, "strong"), ("  what it says is taken over", "muted"))
        first = ""
    for manager, folder, files in look.managers:
        where = f" in {folder}" if folder != "." else ""
        yield _fact(first, (f"{manager}{where}", "strong"), (f"  by {files}", "muted"))
        first = ""
    for asked in look.asked:
        yield _fact(first, (asked, "strong"))
        first = ""
    if first:
        yield _fact(first, "no package manager that setup knows", ("  ·  a setup script can do the rest", "muted"))


def _setup(look: FirstLook) -> Iterator[Row]:
    first = "setup"
    for command in look.setup[:_MOST_COMMANDS]:
        yield _fact(first, command)
        first = ""
    more = len(look.setup) - _MOST_COMMANDS
    if more > 0:
        yield _fact("", (f"… and {more} more", "muted"))
    if first:
        yield _fact(first, ("nothing to run", "muted"))
    else:
        yield _fact("", ("once, in a container; what it leaves is kept for 12 hours", "muted"))
    for notice in look.notices:
        yield _fact("", (notice, "warn"))


def _reach(look: FirstLook) -> Iterator[Row]:
    yield _fact("reaches", "setup: the public internet, through a gateway that logs it")
    yield _fact("", "the agent: nothing", ("  ·  [network] opens hosts", "muted"))


def _agent(look: FirstLook) -> Iterator[Row]:
    yield _fact("agent", (look.agent, "strong"), (_WHAT.get(look.agent, ""), "muted"))
    for name, why in look.lacking:
        yield _fact("", (f"{name}: {why}", "muted"))


_WHAT = {"command": "  runs the prompt as a shell line, until another can start"}
