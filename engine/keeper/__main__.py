"""`python -m engine.keeper`: the keeper, until no client is left."""

from __future__ import annotations

from engine.keeper.keeper import keep

keep()
