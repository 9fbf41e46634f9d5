"""The totals as a table."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tabulate import tabulate


def table(sums: Mapping[str, Decimal]) -> str:
    """One row for each category, in the order of their names."""
    rows = [(category, f"{sums[category]:.2f}") for category in sorted(sums)]
    return tabulate(rows, tablefmt="plain", disable_numparse=True, colalign=("left", "right") if rows else None)
