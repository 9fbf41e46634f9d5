"""The forms of an environment: what each page lists, and what its changes are in the file."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct

from engine.environment.rewrite import Append, Change, Drop, Put, Remove
from tui.present.row import Row, row
from tui.present.text import one_line

if TYPE_CHECKING:
    from engine.bench.secrets import SecretEntry
    from engine.environment.model import Environment

Page = Literal["secrets", "network", "variables", "versions"]
PAGES: tuple[Page, ...] = ("secrets", "network", "variables", "versions")
TITLES = {"secrets": "Secrets", "network": "Network", "variables": "Variables", "versions": "Versions"}
ASKS = {
    "secrets": "NAME of a new secret",
    "network": "host to allow: x.org with its subdomains, =x.org alone, x.org:8443, preset:NAME",
    "variables": "NAME=value",
    "versions": "python=3.12",
}
HELP = {
    "secrets": "Values are kept encrypted outside the file and given to setup only.",
    "network": "What the agent may reach once setup is done.",
    "variables": "Seen by every phase and by the agent: no place for secrets.",
    "versions": "For images that offer several versions of a language.",
}
_MODES = ("off", "limited", "full")
_NAME_CELLS = 26


class Entry(Protocol):
    """An entry of an allow or deny list: as written, as stored, or why it is refused."""

    @property
    def list(self) -> str:
        """`allow` or `deny`."""

    @property
    def written(self) -> str:
        """As it is in the file."""

    @property
    def stored(self) -> tuple[str, ...]:
        """The rules it stands for."""

    @property
    def problem(self) -> str:
        """Why it is refused; empty when it is not."""

    @property
    def hint(self) -> str:
        """What would be right."""


class Item(Struct, frozen=True):
    """One line of a form: `name` is what it sets, `value` what can be edited, `remove` what takes it away."""

    row: Row
    name: str
    value: str = ""
    remove: Change | None = None
    has_secret: bool = False


def items(page: Page, environment: Environment, secrets: Sequence[SecretEntry], entries: Sequence[Entry]) -> list[Item]:
    """The lines of a page."""
    match page:
        case "secrets":
            return [_secret(entry) for entry in secrets]
        case "network":
            return list(_network(environment, entries))
        case "variables" | "versions":
            held = environment.variables if page == "variables" else environment.versions
            return [
                Item(_row(name, one_line(value, 200)), name, value, Remove((page, name)))
                for name, value in held.items()
            ]


def _row(name: str, value: str, role: str = "", *, glyph: str = " ") -> Row:
    return row((f" {glyph} ", role), (f"{one_line(name, 60):<{_NAME_CELLS}} ", "strong"), (value, role))


def _secret(entry: SecretEntry) -> Item:
    if entry.set_at is None:
        shown = _row(entry.name, "no value yet · enter sets it", "warn", glyph="○")
    else:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.set_at))
        stray = "" if entry.declared else " · not in the file, nothing gets it"
        shown = _row(entry.name, f"set {when}{stray}", "muted", glyph="✓" if entry.declared else "!")
    remove = Remove(("secrets", entry.name)) if entry.declared else None
    return Item(shown, entry.name, remove=remove, has_secret=entry.set_at is not None)


def _network(environment: Environment, entries: Sequence[Entry]) -> Iterator[Item]:
    mode = environment.network.agent
    says = {
        "off": "no internet for the agent",
        "limited": "the hosts below" if entries else "no host yet · a allows one",
        "full": "every public host",
    }[mode]
    yield Item(
        row("   ", (f"{'agent':<{_NAME_CELLS}} ", "strong"), (f"‹ {mode} ›", "key"), (f"  {says}", "muted")),
        "agent",
        mode,
    )
    numbers = {"allow": 0, "deny": 0}
    for entry in entries:
        number, numbers[entry.list] = numbers[entry.list], numbers[entry.list] + 1
        stored = f"{entry.list}: {', '.join(entry.stored)}" if not entry.problem else f"{entry.problem}; {entry.hint}"
        role = "bad" if entry.problem else "muted"
        shown = _row(entry.written, one_line(stored, 300), role, glyph="✗" if entry.problem else "✓")
        yield Item(shown, entry.written, remove=Drop(("network", entry.list), number))


def next_mode(mode: str) -> Change:
    """The agent's internet, one step further round."""
    return Put(("network", "agent"), _MODES[(_MODES.index(mode) + 1) % len(_MODES)])


def added(page: Page, text: str) -> list[Change]:
    """What a line typed into the form of a page changes; empty when it says nothing."""
    name, is_pair, value = text.partition("=")
    if page == "secrets":
        return [Put(("secrets", text.strip()), {})] if text.strip() else []
    if page == "network":
        return [Append(("network", "allow"), text.strip())] if text.strip() else []
    return [Put((page, name.strip()), value)] if is_pair and name.strip() else []
