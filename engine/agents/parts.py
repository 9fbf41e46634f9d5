"""Parts of JSON that models, agents and containers wrote: what is not of the kind that is looked for is empty."""

from __future__ import annotations

from typing import Any


def text(value: object) -> str:
    """`value` if it is a string, fit to be stored and sent; anything else is empty."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def table(value: object) -> dict[str, Any]:
    """`value` if it is an object; anything else is empty."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[dict[str, Any]]:
    """The objects in `value` if it is an array."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def count(value: object) -> int:
    """`value` if it is a plausible number of tokens; anything else is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53 else 0
