"""What a check found."""

from __future__ import annotations

from msgspec import Struct


class Check(Struct, frozen=True):
    """One finding: `ok` None is a warning, work goes on; `hint` says what to do."""

    name: str
    ok: bool | None
    message: str
    hint: str = ""
