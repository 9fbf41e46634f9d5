"""Every check, in the order in which a user meets what it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.doctor import machine, programs
from engine.doctor.check import Check
from engine.errors import EngineError

_CHECKS: tuple[tuple[str, Callable[[], Iterator[Check]]], ...] = (
    ("state folder", machine.state),
    ("left behind", machine.left_behind),
    ("secrets", machine.secrets),
    ("limits", machine.limits),
    ("logout", machine.logout),
    ("proxy", machine.proxies),
    ("authorities", machine.authorities),
    ("git", programs.git),
    ("forge", programs.forges),
    ("agent", programs.agents),
    ("container engine", programs.engine),
)


def checks() -> Iterator[Check]:
    """Every check, as its result comes in; none raises."""
    for name, check in _CHECKS:
        try:
            yield from check()
        except EngineError as error:
            yield Check(name, False, error.message, error.hint)
