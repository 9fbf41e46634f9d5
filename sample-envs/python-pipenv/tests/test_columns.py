from columns import aligned


def test_a_column_is_as_wide_as_its_widest_cell() -> None:
    assert aligned([["name", "city"], ["Ada", "London"]]) == ["name  city", "Ada   London"]


def test_the_gap_can_be_chosen() -> None:
    assert aligned([["a", "b"]], gap=4) == ["a    b"]


def test_wide_characters_take_two_cells() -> None:
    assert aligned([["東京", "9.7"], ["Oslo", "0.7"]]) == ["東京  9.7", "Oslo  0.7"]
