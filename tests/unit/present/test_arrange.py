"""A patch in one column or two, with or without changes of white space, folded and commented on."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.present import patch
from tui.present.arrange import CHANGED, NONE, SPACE_ONLY, Arrangement, arrange
from tui.present.diff_page import DiffPage
from tui.present.patch import ADDED, CONTEXT, NO_NEWLINE, REMOVED
from tui.present.visible import Visible

LINE = st.sampled_from([" same", "-a b", "-ab", "-other", "+ab", "+a  b", "+new", "+"])
HUNKS = st.lists(st.lists(LINE, min_size=1, max_size=14), min_size=1, max_size=4)


def index_of(tmp_path: Path, *hunks: list[str], files: int = 1) -> patch.PatchIndex:
    body = "".join(
        f"@@ -{n * 50 + 1} +{n * 50 + 1} @@\n" + "".join(f"{line}\n" for line in hunk) for n, hunk in enumerate(hunks)
    )
    path = tmp_path / "diff.patch"
    path.write_text("".join(f"diff --git a/f{n} b/f{n}\n--- a/f{n}\n+++ b/f{n}\n{body}" for n in range(files)))
    return patch.index(path)


def text_of(found: patch.PatchIndex, arranged: Arrangement, row: int) -> tuple[str, str]:
    return tuple(
        "" if at == NONE else found.read_rows([at])[0].decode() for at in (arranged.left[row], arranged.right[row])
    )  # type: ignore[return-value]


@given(hunks=HUNKS, split=st.booleans(), hide=st.booleans(), files=st.integers(1, 3))
def test_nothing_is_lost_or_doubled(
    tmp_path_factory: pytest.TempPathFactory, hunks: list[list[str]], split: bool, hide: bool, files: int
) -> None:
    found = index_of(tmp_path_factory.mktemp("p"), *hunks, files=files)
    arranged = arrange(found, split=split, hide_space=hide)
    shown = [{left, right} - {NONE} for left, right in zip(arranged.left, arranged.right, strict=True)]
    rows = sorted(row for both in shown for row in both)
    assert len(rows) == len(set(rows))
    if not hide:
        assert rows == list(range(len(found.kinds)))
    for row in set(rows) - {
        left for kind, left in zip(arranged.kinds, arranged.left, strict=True) if kind == SPACE_ONLY
    }:
        assert row in shown[arranged.row_of(row)]
    assert [arranged.left[row] for row in arranged.files] == [file.row for file in found.files]


@given(hunks=HUNKS, split=st.booleans(), hide=st.booleans())
def test_every_row_can_be_shown(
    tmp_path_factory: pytest.TempPathFactory, hunks: list[list[str]], split: bool, hide: bool
) -> None:
    found = index_of(tmp_path_factory.mktemp("p"), *hunks)
    page = DiffPage(arrange(found, split=split, hide_space=hide))
    for row in range(len(page.arranged.kinds)):
        made = page.row(row)
        for half, patch_row in zip((made, made.beside), page.sides(row), strict=True):
            if page.arranged.kinds[row] == SPACE_ONLY:
                continue
            if half is not None and patch_row != NONE and found.kinds[patch_row] in (CONTEXT, ADDED, REMOVED):
                assert patch_row in page.sides(page.row_of(patch_row))
                if page.arranged.split:
                    text = "".join(part for part, _ in half.left).replace("·", " ")
                    assert text.endswith(found.read_rows([patch_row])[0].decode()[1:])


def test_two_columns(tmp_path: Path) -> None:
    found = index_of(tmp_path, [" one", "-two", "-three", "+TWO", " four", "+five"])
    arranged = arrange(found, split=True)
    rows = [(arranged.kinds[n], *text_of(found, arranged, n)) for n in range(2, len(arranged.kinds))]
    assert rows == [
        (CONTEXT, " one", " one"), (CHANGED, "-two", "+TWO"), (REMOVED, "-three", ""),
        (CONTEXT, " four", " four"), (ADDED, "", "+five"),
    ]  # fmt: skip


def test_white_space_is_hidden_for_looking_only(tmp_path: Path) -> None:
    found = index_of(tmp_path, ["-if x:", "-y", "+  if x :", "+z", " c"], ["-a", "+ a"])
    arranged = arrange(found, hide_space=True)
    rows = [(arranged.kinds[n], *text_of(found, arranged, n)) for n in range(2, len(arranged.kinds))]
    assert [row[0] for row in rows] == [CONTEXT, REMOVED, ADDED, CONTEXT, patch.HUNK, SPACE_ONLY]
    assert rows[0][1:] == ("-if x:", "+  if x :")
    assert (found.added, found.removed) == (3, 3)


def test_the_end_of_a_file_without_newline(tmp_path: Path) -> None:
    end = "\\ No newline at end of file"
    found = index_of(tmp_path, ["-old", end, "+new", end])
    split = arrange(found, split=True)
    assert list(split.kinds[2:]) == [CHANGED, NO_NEWLINE]
    assert text_of(found, split, 3) == (end, end)
    shown = DiffPage(split).row(3)
    assert "no newline" in "".join(text for text, _ in shown.left)
    assert shown.beside is not None
    assert "no newline" in "".join(text for text, _ in shown.beside.left)
    words = [role for _, role in DiffPage(arrange(found)).row(2).left]
    assert "removed" in words


@given(folded=st.sets(st.integers(0, 2)), extras=st.dictionaries(st.integers(0, 20), st.integers(1, 3), max_size=5))
def test_what_is_seen(tmp_path_factory: pytest.TempPathFactory, folded: set[int], extras: dict[int, int]) -> None:
    found = index_of(tmp_path_factory.mktemp("p"), ["-a", "+b", " c", " d"], files=3)
    arranged = arrange(found)
    extras = {row: count for row, count in extras.items() if row < len(arranged.kinds)}
    visible = Visible(arranged, folded, extras)
    places = [visible.at(row) for row in range(visible.count)]
    expected = []
    for row in range(len(arranged.kinds)):
        file = arranged.file_at(row)
        if file not in folded:
            expected += [(row, extra) for extra in range(extras.get(row, 0) + 1)]
        elif row == arranged.files[file]:
            expected.append((row, 0))
    assert places == expected
    assert [visible.of(*place) for place in places] == list(range(visible.count))


def test_real_git_agrees_on_numbers(tmp_path: Path) -> None:
    def git(*words: str) -> bytes:
        return subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True).stdout

    git("init", "-q")
    lines = [f"line {n}\n" for n in range(2000)]
    (tmp_path / "f").write_text("".join(lines))
    git("add", "-A")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "1")
    changed = [line for n, line in enumerate(lines) if n % 97] + ["end\n"]
    changed[500:500] = [f"new {n}\n" for n in range(600)]
    (tmp_path / "f").write_text("".join(changed))
    path = tmp_path / "p"
    path.write_bytes(git("diff"))
    found = patch.index(path)
    for row, data in enumerate(found.read(0, len(found.kinds))):
        old, new = found.numbers(row)
        if found.kinds[row] in (CONTEXT, REMOVED):
            assert lines[old - 1].encode() == data[1:] + b"\n"
        if found.kinds[row] in (CONTEXT, ADDED):
            assert changed[new - 1].encode() == data[1:] + b"\n"
