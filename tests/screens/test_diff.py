"""The diff pane driven by keys and mouse: looking, finding, commenting, taking away."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot

from engine import sizes
from engine.tasks import comments
from engine.tasks import events as ev
from tests.screens import recorded
from tests.screens.conftest import RecordedBench
from tests.screens.test_bench import screen_of, text_of, until, until_gone
from tui.app import Workbench
from tui.live import changes
from tui.live.preferences import Preferences
from tui.panes.diff import DiffPane
from tui.widgets.diff_view import DiffView
from tui.widgets.file_tree import FileTree

WIDE, ZOOMED, NARROW = (200, 50), (160, 60), (80, 24)
App = Callable[..., Workbench]
PATCH = """\
diff --git a/docs/old name.md b/docs/name.md
similarity index 88%
rename from docs/old name.md
rename to docs/name.md
index 1111111..2222222 100644
--- a/docs/old name.md\t
+++ b/docs/name.md
@@ -1,2 +1,2 @@
 # Title
-first words here
+other words here
diff --git a/lib b/lib
index 1111111..2222222 160000
--- a/lib
+++ b/lib
@@ -1 +1 @@
-Subproject commit 1111111111111111111111111111111111111111
+Subproject commit 2222222222222222222222222222222222222222
diff --git a/src/app/main.py b/src/app/main.py
index 1111111..2222222 100644
--- a/src/app/main.py
+++ b/src/app/main.py
@@ -1,6 +1,6 @@
 import os
-def total(items):
-  return sum(items)
+def total(items, start=0):
+    return sum(items)

 def mean(items):
     return total(items) / len(items)
@@ -20,4 +20,5 @@ def last(items):
     return items[-1]

-LIMIT = 10
+LIMIT = 20  \x20
+# user\u202etxt.exe
 END = 1
diff --git a/src/app/spaces.py b/src/app/spaces.py
index 1111111..2222222 100644
--- a/src/app/spaces.py
+++ b/src/app/spaces.py
@@ -1,2 +1,2 @@
-if x :
+if x:
     pass
diff --git a/src/big.bin b/src/big.bin
new file mode 100644
index 0000000..1111111
GIT binary patch
literal 5
McmZQzOv=my00M6TI{*Lx

literal 0
HcmV?d00001

"""


async def opened(pilot: Pilot[int], *, zoom: bool = True) -> DiffView:
    """The diff with the keys."""
    await until(pilot, "fix the failing test")
    await pilot.press("5")
    if zoom:
        await pilot.press("plus")
    await until(pilot, "renamed from docs/old name.md")
    return screen_of(pilot).query_one(DiffView)


async def go_to(pilot: Pilot[int], view: DiffView, said: str) -> None:
    """Put the cursor on the row that says something."""
    for row in range(view.row_count()):
        made = view.rows(row, row + 1)[0]
        if said in "".join(text for half in (made, made.beside) if half for text, _ in half.left):
            view.move_to(row)
            await pilot.pause()
            return
    raise AssertionError(f"no row says {said!r}")


@pytest.fixture
def task() -> recorded.Recording:
    """A finished task with that patch."""
    task = recorded.finished()
    task.patch(PATCH)
    return task


def turn(task: recorded.Recording, patch: str) -> None:
    """A further turn of the agent is done, and this is the diff now."""
    task.patch(patch)
    task.at(
        20, ev.DiffReady(base_sha="4f2c91e0aa", result_sha="c" * 40, files_changed=5, lines_added=8, lines_removed=6)
    )


def kept(task: recorded.Recording) -> tuple[comments.Comment, ...]:
    """The comments on disk."""
    return comments.read(task.folder, 1).comments


async def test_what_happened_to_files_is_said(app: App, task: recorded.Recording) -> None:
    async with app().run_test(size=ZOOMED, notifications=True) as pilot:
        await opened(pilot)
        shown = text_of(pilot)
        for said in (
            "88% the same",
            "submodule",
            "binary file, 0 → 5 bytes",
            "R name.md",
            "A big.bin",
            "⟨202E⟩",
            "⚠ invis",
        ):
            assert said in shown
        assert "LIMIT = 20··" in shown


async def test_side_by_side_and_back_is_remembered(app: App, task: recorded.Recording) -> None:
    async with app().run_test(size=ZOOMED, notifications=True) as pilot:
        view = await opened(pilot)
        assert view.split
        shown = await until(pilot, "│ 2 + def total(items, start=0):")
        assert "- def total(items):" in shown
        await go_to(pilot, view, "LIMIT = 20")
        await pilot.press("s")
        await until_gone(pilot, "│ 2 + def total")
        assert "LIMIT" in "".join(text for text, _ in view.rows(view.cursor, view.cursor + 1)[0].left)
    assert Preferences.read().diff_split is False
    async with app().run_test(size=ZOOMED, notifications=True) as pilot:
        assert not (await opened(pilot)).split


async def test_words_that_changed_are_marked(app: App, task: recorded.Recording) -> None:
    async with app().run_test(size=NARROW, notifications=True) as pilot:
        view = await opened(pilot, zoom=False)
        await go_to(pilot, view, "def total(items, start=0):")
        spans = view.rows(view.cursor, view.cursor + 1)[0].left
        assert "".join(text for text, role in spans if "added-word" in str(role)) == ", start=0"


async def test_white_space_is_hidden_and_shown(app: App, task: recorded.Recording) -> None:
    async with app().run_test(size=ZOOMED, notifications=True) as pilot:
        await opened(pilot)
        await pilot.press("W")
        shown = await until(pilot, "only white space changed here")
        assert "white space hidden" in shown
        assert "if x :" not in shown
        assert "+7 −6" in shown
        await pilot.press("W")
        await until(pilot, "if x :")


async def test_folding(app: App, task: recorded.Recording) -> None:
    async with app().run_test(size=ZOOMED, notifications=True) as pilot:
        view = await opened(pilot)
        await go_to(pilot, view, "other words here")
        await pilot.press("space")
        await until_gone(pilot, "other words here")
        assert view.cursor == 0
        await pilot.press("right_square_bracket")
        assert view.file_number == 1
        await pilot.press("o")
        await until_gone(pilot, "def total")
        assert view.row_count() == 5
        await pilot.press("o")
        await until(pilot, "def total")


async def test_viewed_files_are_folded_and_counted(app: App, task: recorded.Recording) -> None:
    async with app().run_test(size=ZOOMED, notifications=True) as pilot:
        view = await opened(pilot)
        await pilot.press("m")
        await until(pilot, "✓ viewed")
        await until(pilot, "1/5 viewed")
        assert view.file_number == 1
    async with app().run_test(size=ZOOMED, notifications=True) as pilot:
        await until(pilot, "5 files +7 −6")
        await pilot.press("5", "plus")
        await until(pilot, "1/5 viewed")
        assert "other words here" not in text_of(pilot)
        turn(task, PATCH.replace("other words", "third words"))
        await until(pilot, "third words here", seconds=20)
        assert "1/5 viewed" not in text_of(pilot)


async def test_search(app: App, task: recorded.Recording) -> None:
    async with app().run_test(size=ZOOMED, notifications=True) as pilot:
        view = await opened(pilot)
        await pilot.press("slash", *"ITEMS")
        await until(pilot, '"ITEMS": 7 lines')
        await pilot.press("enter")
        await until(pilot, '"ITEMS": 1 of 7')
        await pilot.press("N")
        await until(pilot, '"ITEMS": 7 of 7')
        first = view.cursor
        await pilot.press("n")
        await until(pilot, '"ITEMS": 1 of 7')
        assert view.cursor < first
        await pilot.press("escape")
        await until_gone(pilot, '"ITEMS"')
        await pilot.press("n")
        await until(pilot, "New task")


async def test_a_match_in_a_folded_file_unfolds_it(app: App, task: recorded.Recording) -> None:
    async with app().run_test(size=ZOOMED, notifications=True) as pilot:
        await opened(pilot)
        await pilot.press("o")
        await until_gone(pilot, "LIMIT")
        await pilot.press("slash", *"limit = 2", "enter")
        await until(pilot, "LIMIT = 20")


async def test_the_tree(app: App, task: recorded.Recording) -> None:
    async with app().run_test(size=ZOOMED, notifications=True) as pilot:
        view = await opened(pilot)
        await pilot.press("t")
        tree = screen_of(pilot).query_one(FileTree)
        assert tree.has_focus
        await until(pilot, "space fold")
        await pilot.press("slash", *"SPACES", "enter")
        await until_gone(pilot, "M main.py")
        await pilot.press("j", "j", "j", "enter")
        assert view.has_focus
        assert view.file_number == 3
        await pilot.press("t", "escape")
        await until(pilot, "M main.py")
        await pilot.press("g", "j", "space")
        await pilot.press("o")
        await until_gone(pilot, "M spaces.py   ")
        await pilot.press("t")
        assert not tree.display


async def test_the_tree_where_there_is_little_room(app: App, task: recorded.Recording) -> None:
    async with app().run_test(size=NARROW, notifications=True) as pilot:
        view = await opened(pilot, zoom=False)
        tree = screen_of(pilot).query_one(FileTree)
        assert not tree.display
        await pilot.press("t")
        await until(pilot, "A big.bin")
        assert not view.display
        await pilot.press("G", "enter")
        await until(pilot, "binary file, 0 → 5 bytes")
        assert not tree.display
        assert view.file_number == 4


async def test_a_comment_from_writing_to_sending(app: App, bench: RecordedBench, task: recorded.Recording) -> None:
    async with app().run_test(size=ZOOMED, notifications=True) as pilot:
        view = await opened(pilot)
        await go_to(pilot, view, "return sum(items)")
        await pilot.press("c")
        await until(pilot, "Comment on src/app/main.py:3")
        await pilot.press(*"why four?", "ctrl+s")
        shown = await until(pilot, "▍ why four?")
        assert "1 comment" in shown
        (comment,) = kept(task)
        assert (comment.path, comment.side, comment.line, comment.text) == (
            "src/app/main.py", "new", 3, ("    return sum(items)",),
        )  # fmt: skip
        await pilot.press("j", "c")
        await until(pilot, "Comment on")
        await pilot.press(*" or two", "ctrl+s")
        await until(pilot, "▍ why four? or two")
        assert [c.id for c in kept(task)] == [comment.id]
        await pilot.press("f")
        await until(pilot, "Please go through this comment")
        await pilot.press(*"Not gone", "ctrl+s")
        await until(pilot, "its container is gone")
        assert [c.sent for c in kept(task)] == [False]
        await pilot.press("f")
        await until(pilot, "Not gone")
        await pilot.press(*(["backspace"] * 8), "ctrl+s")
        await until(pilot, "enter fold")
        await pilot.press("5")
        await until(pilot, "sent · line 3")
        assert [c.sent for c in kept(task)] == [True]
        assert [call[0] for call in bench.calls] == ["follow_up", "follow_up"]
        assert bench.calls[1][1:] == (
            "aaaa22",
            "Please go through this comment on your changes.\n\n"
            "src/app/main.py:3\n>     return sum(items)\n\nwhy four? or two\n",
            1,
        )


async def test_a_comment_on_removed_lines_and_its_end(app: App, task: recorded.Recording) -> None:
    async with app().run_test(size=NARROW, notifications=True) as pilot:
        view = await opened(pilot, zoom=False)
        await go_to(pilot, view, "def total(items):")
        await pilot.press("shift+down", "c")
        await until(pilot, "Comment on src/app/main.py:2-3")
        await pilot.press(*"keep", "escape")
        await until(pilot, "esc again throws")
        await pilot.press("ctrl+s")
        await until(pilot, "▍ keep")
        (comment,) = kept(task)
        assert (comment.side, comment.text) == ("old", ("def total(items):", "  return sum(items)"))
        await pilot.press("d")
        await until(pilot, "Go to a comment first")
        await go_to(pilot, view, "keep")
        await pilot.press("d", "y")
        await until_gone(pilot, "▍ keep")
        assert kept(task) == ()


async def test_comments_survive_a_new_turn(app: App, task: recorded.Recording) -> None:
    async with app().run_test(size=ZOOMED, notifications=True) as pilot:
        view = await opened(pilot)
        for line, body in (("LIMIT = 20", "too much"), ("other words here", "which")):
            await go_to(pilot, view, line)
            await pilot.press("c", *body, "ctrl+s")
            await until(pilot, f"▍ {body}")
        turn(
            task,
            PATCH.replace("+other words here\n", "+new words here\n+more\n").replace(
                "@@ -20,4 +20,5", "@@ -20,4 +24,5"
            ),
        )
        shown = await until(pilot, "outdated · line 2 is not in this diff: other words here", seconds=20)
        lines = shown.splitlines()
        at = next(n for n, line in enumerate(lines) if "▍ too much" in line)
        assert "LIMIT = 20" in lines[at - 1]
        await pilot.press("C")
        shown = await until(pilot, "2 comments")
        assert "src/app/main.py:22  too much" in shown
        await pilot.press("j", "enter")
        assert view.comment is not None
        assert view.comment.body == "too much"


async def test_mouse(app: App, task: recorded.Recording) -> None:
    async with app().run_test(size=ZOOMED, notifications=True) as pilot:
        view = await opened(pilot)
        await pilot.press("s")
        await until_gone(pilot, "│ 2 + def total")
        await go_to(pilot, view, "def total(items):")
        at = view.cursor - view.scroll_offset.y
        await pilot.mouse_down(view, offset=(20, at))
        await pilot.hover(view, offset=(20, at + 1))
        move = events.MouseMove(view, 20, at + 1, 0, 1, 1, False, False, False, None, None)
        view.on_mouse_move(move)
        await pilot.mouse_up(view, offset=(20, at + 1))
        chosen = view.selected()
        assert chosen is not None
        assert (chosen.side, chosen.line, len(chosen.text)) == ("old", 2, 2)
        await pilot.click(view, offset=(20, at + 3), times=2)
        await until(pilot, "Comment on src/app/main.py:3")
        await pilot.press("escape")
        view.go(0)
        await pilot.click(view, offset=(4, 0))
        await until_gone(pilot, "other words here")
        tree = screen_of(pilot).query_one(FileTree)
        await pilot.click(tree, offset=(6, tree.row_count() - 1))
        assert view.file_number == 4


async def test_copy_and_export(app: App, bench: RecordedBench, task: recorded.Recording, project: Path) -> None:
    async with app().run_test(size=ZOOMED, notifications=True) as pilot:
        view = await opened(pilot)
        await go_to(pilot, view, "txt.exe")
        await pilot.press("y")
        await until(pilot, "made visible")
        assert "+# user⟨202E⟩txt.exe" in pilot.app.clipboard
        assert pilot.app.clipboard.startswith("@@ -20,4")
        await pilot.press("Y")
        await until(pilot, "Copied src/app/main.py")
        assert pilot.app.clipboard == "src/app/main.py"
        await pilot.press("e")
        await until(pilot, "Write the patch to a file")
        await pilot.press("enter")
        await until(pilot, "bytes written")
        assert (project / "aaaa22.patch").read_text() == PATCH
        await pilot.press("e", "enter")
        await until(pilot, "is there already")


async def test_a_long_line_is_copied_whole(app: App, task: recorded.Recording) -> None:
    line = "x = '" + "ä" * 3000 + "'"
    task.patch(f"diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-old\n+{line}\n")
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "- old")
        await pilot.press("5", "right_square_bracket", "y")
        await until(pilot, "Copied")
        assert pilot.app.clipboard.endswith(f"+{line}")


async def test_a_damaged_review_does_not_hide_the_diff(app: App, task: recorded.Recording) -> None:
    (task.folder / "review").mkdir()
    (task.folder / "review" / "1.json").write_text("no")
    async with app().run_test(size=ZOOMED, notifications=True) as pilot:
        await until(pilot, "cannot be read")
        await opened(pilot)


async def test_a_large_diff_is_there_at_once_and_whole_soon(app: App, task: recorded.Recording) -> None:
    files = "".join(
        f"diff --git a/pkg{n // 50}/f{n}.py b/pkg{n // 50}/f{n}.py\n--- a/pkg{n // 50}/f{n}.py\n+++ b/pkg{n // 50}/f{n}.py\n"
        f"@@ -1,30 +1,30 @@\n" + f" x = {n}\n" * 29 + "-old\n+new\n"
        for n in range(3000)
    )
    task.patch(files)
    async with app().run_test(size=ZOOMED, notifications=True) as pilot:
        await until(pilot, "3,000 files +3,000 −3,000", seconds=20)
        await pilot.press("5", "plus", "G")
        await until(pilot, "pkg59/f2999.py")
        pane = screen_of(pilot).query_one(DiffPane)
        assert pane.changes is not None
        assert pane.changes.whole
        await pilot.press("left_curly_bracket", "left_curly_bracket", "o")
        await until(pilot, "▸ M pkg59/f2998.py")


async def test_a_huge_diff_says_how_much_of_it_is_shown(
    app: App, task: recorded.Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "MOST", 900)
    task.patch(PATCH * 400)
    async with app().run_test(size=ZOOMED, notifications=True) as pilot:
        await until(pilot, " files +")
        await pilot.press("5", "plus")
        await until(pilot, f"of {sizes.words(400 * len(PATCH.encode()))} shown; e writes it whole")
        await pilot.press("G")
        view = screen_of(pilot).query_one(DiffPane).diff_view
        assert view.row_count() < 60
        await pilot.press("e", "enter")
        await until(pilot, f"{400 * len(PATCH.encode()):,} bytes written")


async def test_a_task_that_is_removed_meanwhile_takes_nobody_down(app: App, task: recorded.Recording) -> None:
    async with app().run_test(size=ZOOMED, notifications=True) as pilot:
        view = await opened(pilot)
        shutil.rmtree(task.folder / "attempts")
        await pilot.press("s", "W", "G", "slash", *"x", "enter", "v", "k", "y", "escape", "c")
        await pilot.pause(0.3)
        assert pilot.app.is_running
        assert view.row_count()
