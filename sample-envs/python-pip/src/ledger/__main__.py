"""Reads entries from standard input and prints the table of their totals."""

import sys

from ledger import parse, table, totals

print(table(totals(parse(sys.stdin))))
