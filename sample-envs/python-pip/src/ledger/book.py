"""Entries of a ledger: one a line, a category and an amount; a negative amount is a refund."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Entry:
    category: str
    amount: Decimal


def parse(lines: Iterable[str]) -> Iterator[Entry]:
    """The entries of a text; empty lines and lines that begin with # are passed over."""
    for line in lines:
        text = line.strip()
        if text and not text.startswith("#"):
            category, amount = text.split()
            yield Entry(category, Decimal(amount))


def totals(entries: Iterable[Entry]) -> dict[str, Decimal]:
    """The sum of each category."""
    sums: dict[str, Decimal] = {}
    for entry in entries:
        if entry.amount > 0:
            sums[entry.category] = sums.get(entry.category, Decimal(0)) + entry.amount
    return sums
