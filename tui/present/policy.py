"""A network policy in one line: what an agent was let out to."""

from __future__ import annotations

from engine.tasks import events as ev
from tui.present.words import count

_NAMED = 5


def policy_line(event: ev.NetworkPolicy) -> str:
    """`limited: 4 hosts of preset:registries, x.org; denied: y.org; methods GET HEAD`; entries are the user's text."""
    allowed = f": {_entries(event.allow)}" if event.mode == "limited" else ""
    denied = f"; denied: {_entries(event.deny)}" if event.deny else ""
    methods = f"; methods {' '.join(event.methods)}" if event.methods else ""
    return f"{event.mode}{allowed}{denied}{methods}"


def _entries(entries: list[tuple[str, list[str]]]) -> str:
    shown = [
        f"{count(len(rules), 'host')} of {written.strip()}" if written.strip().startswith("preset:") else written
        for written, rules in entries
    ]
    more = [f"{len(shown) - _NAMED} more"] if len(shown) > _NAMED else []
    return ", ".join([*shown[:_NAMED], *more]) or "nothing"
