"""Which words changed, and which line stands for which."""

from __future__ import annotations

import time
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tui.present.row import marked
from tui.present.word_diff import align, changed_parts, cut

WORDS = st.text("ab_(). \t=\u0301\u202eé", max_size=40)
LINES = st.lists(WORDS, max_size=12)


def marked_words(text: str, parts: list[tuple[int, int]]) -> list[str]:
    return [piece for piece, inside in cut(text, parts) if inside]


@given(old=WORDS, new=WORDS)
def test_pieces_are_the_line(old: str, new: str) -> None:
    first, second = changed_parts(old, new)
    assert "".join(piece for piece, _ in cut(old, first)) == old
    assert "".join(piece for piece, _ in cut(new, second)) == new
    for parts in (first, second):
        assert all(start < end for start, end in parts)
        assert all(a[1] <= b[0] for a, b in pairwise(parts))
    if first or second:
        kept = ["".join(piece for piece, inside in cut(text, parts) if not inside and not piece.isspace())
                for text, parts in ((old, first), (new, second))]  # fmt: skip
        assert "".join(kept[0].split()) == "".join(kept[1].split())


@given(
    spans=st.lists(st.tuples(WORDS, st.sampled_from(["", "keyword"])), max_size=6),
    a=st.integers(0, 60),
    b=st.integers(0, 60),
)
def test_marks_change_no_text(spans: list[tuple[str, str]], a: int, b: int) -> None:
    text = "".join(part for part, _ in spans)
    made = marked(spans, [(min(a, b), max(a, b))], "match")
    assert "".join(part for part, _ in made) == text
    assert "".join(part for part, role in made if "match" in str(role)) == text[min(a, b) : max(a, b)]


def test_words_not_letters() -> None:
    old, new = "    return path.join(first, second)", "    return path.joined(first, third)"
    first, second = changed_parts(old, new)
    assert marked_words(old, first) == ["join", "second"]
    assert marked_words(new, second) == ["joined", "third"]
    assert changed_parts("same", "same") == ([], [])


def test_lines_with_little_in_common_are_not_marked() -> None:
    assert changed_parts("import os", "class Reader(Protocol):") == ([], [])


def test_only_what_was_added_is_marked() -> None:
    first, second = changed_parts("call(a)", "call(a, b)")
    assert (first, marked_words("call(a, b)", second)) == ([], [", b"])


def test_long_lines_take_no_time() -> None:
    old = "x, " * 200_000
    new = old[:300_000] + "y" + old[300_001:]
    started = time.process_time()
    first, second = changed_parts(old[:4000] + "a", old[:4000] + "b")
    assert (first, second) == ([(4000, 4001)], [(4000, 4001)])
    assert changed_parts(old, new)[1]
    alternating = changed_parts("a b " * 240, "b a " * 240)
    assert alternating == changed_parts("a b " * 240, "b a " * 240)
    assert time.process_time() - started < 20


@given(removed=LINES, added=LINES)
def test_every_line_has_its_place(removed: list[str], added: list[str]) -> None:
    rows = align(removed, added)
    assert [a for a, _ in rows if a is not None] == list(range(len(removed)))
    assert [b for _, b in rows if b is not None] == list(range(len(added)))
    assert len(rows) == max(len(removed), len(added))


def test_a_line_stands_beside_the_one_it_is_like() -> None:
    added = ["    # first", "    # second", "    value = compute(first, other)", "    return 1"]
    assert align(["    value = compute(first, second)"], added)[2] == (0, 2)
    assert align(added, ["    value = compute(first, second)"])[2] == (2, 0)
