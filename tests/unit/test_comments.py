"""Comments on a diff: kept, found again, sent."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.tasks import comments
from engine.tasks.comments import Comment, DiffReview, as_prompt, find, new_comment
from tui.live import changes

CODE = ["def f(a):", "    x = a", "", "    return x", "}", "def g(b):", "    x = b", "", "    return x", "}"]
NUMBERS = list(range(1, len(CODE) + 1))


def on(line: int, count: int = 1) -> Comment:
    first = line - 1
    return new_comment("f.py", "new", line, CODE[first : first + count], "why?",
                       before=CODE[max(0, first - 2) : first], after=CODE[first + count : first + count + 2])  # fmt: skip


@given(line=st.integers(1, 9), count=st.integers(1, 3), above=st.integers(0, 30))
def test_found_where_it_was_moved_to(line: int, count: int, above: int) -> None:
    comment = on(line, min(count, 11 - line))
    texts = [f"new {n}" for n in range(above)] + CODE
    assert find(comment, range(1, len(texts) + 1), texts) == above + line - 1


def test_what_is_around_decides_between_equal_lines() -> None:
    assert find(on(4), range(1, 6), CODE[:5]) == 3
    assert find(on(9), range(101, 106), CODE[5:]) == 3
    swapped = CODE[5:] + CODE[:5]
    assert find(on(2), NUMBERS, swapped) == 6
    assert find(on(7), NUMBERS, swapped) == 1


def test_indented_anew_is_still_there() -> None:
    assert find(on(1), [7], ["    def f(a):"]) == 0


def test_gone_is_outdated() -> None:
    assert find(on(1), NUMBERS[1:], CODE[1:]) is None
    assert find(on(5), [90], ["}"]) is None
    assert find(on(3), [90], [""]) is None
    assert find(on(1, 2), [1, 9], CODE[:2]) is None
    assert find(on(1), [], []) is None


def test_the_prompt() -> None:
    old = new_comment("b.py", "old", 7, ["gone"], "  why remove it?\n")
    long = new_comment("a.py", "new", 3, [f"line {n}" for n in range(20)], "too long")
    prompt = as_prompt([old, long])
    assert prompt.startswith("Please go through these 2 comments on your changes.\n\na.py:3-22\n> line 0\n")
    assert "> line 11\n> … 8 more lines\n\ntoo long\n\n" in prompt
    assert prompt.endswith("b.py:7 (as it was before your changes)\n> gone\n\nwhy remove it?\n")
    assert "this comment" in as_prompt([old])
    assert as_prompt([]) == ""


@given(texts=st.lists(st.text(max_size=20), min_size=1, max_size=4), body=st.text(min_size=1, max_size=40))
def test_quoted_code_cannot_pass_for_a_comment(texts: list[str], body: str) -> None:
    comment = Comment("i", "p", "new", 1, tuple(text.replace("\n", "") for text in texts), "BODY")
    lines = as_prompt([comment]).split("\n")
    after = lines.index("p:1" if len(texts) == 1 else f"p:1-{len(texts)}")
    assert all(line.startswith(">") for line in lines[after + 1 : after + 1 + len(texts)])
    assert lines[after + 1 + len(texts) :] == ["", "BODY", ""]


def test_kept_and_changed(tmp_path: Path) -> None:
    first, second = on(1), on(2, 2)
    comments.change(tmp_path, 1, lambda review: review.put(first).put(second).with_viewed("f.py", "d1"))
    read = comments.read(tmp_path, 1)
    assert read == DiffReview((first, second), {"f.py": "d1"})
    assert read.unsent == (first, second)
    assert comments.read(tmp_path, 2) == DiffReview()
    changed = comments.change(tmp_path, 1, lambda review: review.with_sent([first.id]).with_viewed("f.py", None))
    assert [comment.sent for comment in changed.comments] == [True, False]
    assert changed.unsent == (second,)
    assert changed.viewed == {}
    assert comments.change(tmp_path, 1, lambda review: review.without(second.id)).comments[0].id == first.id
    assert (tmp_path / "review" / "1.json").stat().st_mode & 0o777 == 0o600


def test_two_screens_lose_nothing(tmp_path: Path) -> None:
    made = [on(1) for _ in range(12)]
    threads = [threading.Thread(target=comments.change, args=(tmp_path, 1, lambda r, c=c: r.put(c))) for c in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {comment.id for comment in comments.read(tmp_path, 1).comments} == {comment.id for comment in made}


def test_a_damaged_file_is_said_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "review" / "1.json"
    path.parent.mkdir()
    path.write_text("{")
    with pytest.raises(EngineError, match="cannot be read"):
        comments.change(tmp_path, 1, lambda review: review.put(on(1)))
    assert path.read_text() == "{"


def test_they_survive_a_new_turn(tmp_path: Path) -> None:
    path = tmp_path / "diff.patch"
    header = "diff --git a/f.py b/f.py\n--- a/f.py\n+++ b/f.py\n"
    path.write_text(f"{header}@@ -1,2 +1,4 @@\n-old\n+new one\n+new two\n def f():\n     return 1\n")
    kept = new_comment("f.py", "new", 2, ["new two"], "a", before=["new one"], after=["def f():"])
    gone = new_comment("f.py", "new", 1, ["new one"], "b", after=["new two"])
    old = new_comment("f.py", "old", 1, ["old"], "c")
    away = new_comment("away.py", "new", 1, ["x"], "d")
    review = DiffReview((kept, gone, old, away))
    first = list(changes.read(path, review))[-1]
    assert first.outdated == {away.id}
    assert [first.patch.read_rows([first.places[c.id]])[0] for c in (kept, gone, old)] == [
        b"+new two",
        b"+new one",
        b"-old",
    ]
    path.write_text(f"{header}@@ -1,2 +1,5 @@\n-old\n+import x\n+\n+new two\n def f():\n     return 1\n")
    second = list(changes.read(path, review))[-1]
    assert second.outdated == {gone.id, away.id}
    assert second.patch.read_rows([second.places[kept.id]]) == [b"+new two"]
    assert second.places[gone.id] == second.patch.files[0].row
    assert away.id not in second.places
