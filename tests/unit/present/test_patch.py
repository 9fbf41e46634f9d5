"""Patches as git writes them: files, hunks, numbers, and what is beside the lines."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from pygments.lexers import find_lexer_class_by_name, find_lexer_class_for_filename, get_all_lexers

from tui.live import changes
from tui.present import patch
from tui.present.arrange import arrange
from tui.present.diff import heading_row, title
from tui.present.diff_page import DiffPage
from tui.present.highlight import _only_lexer_of, highlight, lexer_for


def git(folder: Path, *words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True).stdout


@pytest.fixture
def found(tmp_path: Path) -> patch.PatchIndex:
    """A real patch with everything in it that a repository can hold."""
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "-q")
    (work / "query.sql").write_bytes(b"a\nb\n-- old\nd\n")
    (work / "data.bin").write_bytes(b"\0\1bin")
    (work / "run.sh").write_bytes(b"#!/bin/sh\n")
    (work / "moved.txt").write_bytes(b"x\n" * 9)
    (work / "gone").write_bytes(b"gone\n")
    git(work, "add", "-A")
    git(work, "commit", "-qm", "1")
    (work / "query.sql").write_bytes(b"a\nB\n++ new\nd")
    (work / "data.bin").write_bytes(b"\0\2other")
    (work / "run.sh").chmod(0o755)
    git(work, "mv", "moved.txt", "new name é.txt")
    git(work, "rm", "-q", "gone")
    (work / "tab\tnl\n.py").write_bytes("acc\u202eevil = 1\r\n".encode())
    git(work, "add", "-A")
    path = tmp_path / "diff.patch"
    path.write_bytes(git(work, "diff", "--binary", "--cached", "-M"))
    return patch.index(path)


def test_files(found: patch.PatchIndex) -> None:
    facts = {file.path: (file.status, file.added, file.removed, file.binary) for file in found.files}
    assert facts == {
        "data.bin": ("M", 0, 0, True),
        "query.sql": ("M", 3, 3, False),
        "gone": ("D", 0, 1, False),
        "new name é.txt": ("R", 0, 0, False),
        "run.sh": ("T", 0, 0, False),
        "tab\tnl\n.py": ("A", 1, 0, False),
    }
    notes = {file.path: file.notes for file in found.files}
    assert notes["run.sh"] == ["made executable (mode 100644 → 100755)"]
    assert notes["new name é.txt"] == ["renamed from moved.txt"]
    assert [file.hidden for file in found.files] == [False] * 5 + [True]
    assert (found.added, found.removed) == (4, 4)
    assert "".join(text for text, _ in title(found)) == "6 files +4 −4"


def test_lines_that_look_like_headers_are_lines(found: patch.PatchIndex) -> None:
    lines = found.read(0, len(found.kinds))
    assert found.kinds[lines.index(b"--- old")] == patch.REMOVED
    assert found.kinds[lines.index(b"+++ new")] == patch.ADDED
    assert patch.NO_NEWLINE in found.kinds


def test_numbers_and_jumps(found: patch.PatchIndex) -> None:
    lines = found.read(0, len(found.kinds))
    row = lines.index(b"+++ new")
    assert (found.numbers(row)[1], found.files[found.file_at(row)].path) == (3, "query.sql")
    first, second, _ = found.hunks
    assert found.next_hunk(0, 1) == first
    assert found.next_hunk(second, -1) == first
    assert found.next_hunk(first, -1) == first
    assert found.hunk_range(row)[0] == second


def test_rows_show_what_is_hidden(found: patch.PatchIndex) -> None:
    row = next(n for n, kind in enumerate(found.kinds) if kind == patch.ADDED and found.file_at(n) == 5)
    shown = "".join(text for text, _ in DiffPage(arrange(found)).row(row).left)
    assert shown.endswith("+ acc⟨202E⟩evil = 1␍")
    assert any("invisible" in note for note in found.notes.values())
    names = ["".join(text for text, _ in heading_row(file).left) for file in found.files]
    assert any("tab␉nl␊.py" in name for name in names)


def test_what_is_no_patch_has_no_files(tmp_path: Path) -> None:
    path = tmp_path / "diff.patch"
    for data in (
        b"",
        b"hello\n",
        b"\0" * 1000,
        b"diff --git ",
        b"diff --git a/x b/x\n@@ nonsense\n",
        b"\ndiff --git \n",
    ):
        path.write_bytes(data)
        assert patch.index(path).hunks.tolist() == []


def test_a_large_patch(tmp_path: Path) -> None:
    path = tmp_path / "diff.patch"
    hunk = b"@@ -1,15 +1,15 @@ def x\n" + b" same\n" * 10 + b"-old\n+new\n" * 5
    path.write_bytes(
        b"".join(
            b"diff --git a/f%d.py b/f%d.py\n--- a/f%d.py\n+++ b/f%d.py\n" % (n, n, n, n) + hunk for n in range(3000)
        )
    )
    found = patch.index(path)
    assert (len(found.files), found.added, found.removed) == (3000, 15_000, 15_000)
    assert found.read(len(found.kinds) - 1, len(found.kinds)) == [b"+new"]


def test_colours_change_no_text() -> None:
    lines = ["def f(a):", '    """one', '    two"""', "    return 'x' # done", ""]
    spans = highlight(lines, "src/f.py")
    assert ["".join(text for text, _ in line) for line in spans] == lines
    assert ("def", "keyword") in spans[0]
    assert spans[1][-1][1] == "string"
    assert highlight(["\x00\ud800", "x" * 500], "f.py") == [[("\x00\ud800", "")], [("x" * 500, "")]]
    assert highlight(["a"], "no-such-kind.zzz") == [[("a", "")]]


def test_the_lexer_is_the_one_that_pygments_takes() -> None:
    patterns = [pattern for _, _, found, _ in get_all_lexers(plugins=False) for pattern in found]
    names = [pattern.replace("*", "name").replace("?", "x") for pattern in patterns]
    found = {name: only for name in (*names, "CMakeLists.txt", "b.min.js") if (only := _only_lexer_of(name))}
    assert len(found) > 700
    for name, only in found.items():
        assert find_lexer_class_by_name(only) is find_lexer_class_for_filename(name), name
    assert not any(map(_only_lexer_of, ("no-ending", ".hidden", "a.", "FSpec.hs", "x.tar.gz")))
    assert type(lexer_for("src/a.test.py")) is find_lexer_class_for_filename("a.py")


def test_a_page_that_is_there_at_once_has_no_syntax_colours(found: patch.PatchIndex) -> None:
    lines = (patch.CONTEXT, patch.ADDED, patch.REMOVED)
    rows = [row for row, kind in enumerate(found.kinds) if kind in lines]
    plain, coloured = (DiffPage(arrange(found, split=False, hide_space=False), plain=plain) for plain in (True, False))
    assert [plain.spans(row) for row in rows] == [[(coloured.text(row), "")] for row in rows]
    assert any(role for row in rows for _, role in coloured.spans(row))


@pytest.mark.parametrize(
    ("needle", "lines"),
    [
        ("ähnlich", [b" \xc3\x84hnlich = 1"]),
        ("ПРИВЕТ", ["+Привет".encode()]),
        ("+", [b"+x = a + b"]),
        ("--", [b"--- sql comment"]),
        ("x =", [b"-x = 'x =x'", b"+x = a + b"]),
        ("@@", []),
    ],
)
def test_lines_are_found_by_their_text_without_the_sign(tmp_path: Path, needle: str, lines: list[bytes]) -> None:
    text = "@@ -1,3 +1,3 @@\n Ähnlich = 1\n-x = 'x =x'\n--- sql comment\n+x = a + b\n+Привет\n"
    (path := tmp_path / "a.patch").write_text(f"diff --git a/a b/a\n--- a/a\n+++ b/a\n{text}")
    index = patch.index(path)
    data = path.read_bytes()
    rows = changes.search(index, needle)
    assert [data[index.starts[row] : index.starts[row] + index.lengths[row]].rstrip(b"\n") for row in rows] == lines
