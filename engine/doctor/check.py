"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: `ok` None is a warning, work goes on; `hint` says what to do."""

    name: str
    ok: bool | None
    message: str
    hint: str = ""
