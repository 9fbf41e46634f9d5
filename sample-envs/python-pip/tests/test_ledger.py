from decimal import Decimal

from ledger import Entry, parse, table, totals


def test_parse_passes_over_comments() -> None:
    assert list(parse(["# May", "", "food 3.50"])) == [Entry("food", Decimal("3.50"))]


def test_totals_are_by_category() -> None:
    sums = totals(parse(["food 3.50", "travel 32", "food 4.90"]))
    assert sums == {"food": Decimal("8.40"), "travel": Decimal("32")}


def test_a_refund_lowers_the_total() -> None:
    assert totals(parse(["travel 32", "travel -12"])) == {"travel": Decimal("20")}


def test_the_table_is_in_order() -> None:
    assert table({"travel": Decimal(32), "food": Decimal("8.4")}).split() == ["food", "8.40", "travel", "32.00"]
