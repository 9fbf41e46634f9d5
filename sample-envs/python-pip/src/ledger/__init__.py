"""Adds up what was spent, by category."""

from ledger.book import Entry, parse, totals
from ledger.report import table

__all__ = ["Entry", "parse", "table", "totals"]
