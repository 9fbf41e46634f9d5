"""What happened to a file besides its lines, in words; and the tree of files."""

from __future__ import annotations

import pytest

from tui.present.file_tree import build, node_row, seen
from tui.present.patch_header import FileDiff, read_header


@pytest.mark.parametrize(("header", "first", "status", "notes"), [
    ("old mode 100755\nnew mode 100644", "", "T", ["no longer executable (mode 100755 → 100644)"]),
    ("old mode 100644\nnew mode 100755\nindex 1..2", "-x", "M", ["made executable (mode 100644 → 100755)"]),
    ("new file mode 100755\nindex 0..1", "+x", "A", ["executable"]),
    ("new file mode 120000\nindex 0..1", "+target", "A", ["symbolic link"]),
    ("deleted file mode 120000\nindex 1..0", "-target", "D", ["symbolic link"]),
    ("index 1..2 160000", "-Subproject commit 1", "M", ["submodule"]),
    ("new file mode 160000\nindex 0..1", "+Subproject commit 1", "A", ["submodule"]),
    ("new file mode 100644\nindex 0..1", "", "A", ["empty file"]),
    ("new file mode 100644\nindex 0..1", "+version https://git-lfs.github.com/spec/v1", "A",
     ["Git LFS pointer: what is stored elsewhere is not in this diff"]),
    ("similarity index 92%\nrename from o\nrename to n\nindex 1..2", "-x", "R", ["renamed from o, 92% the same"]),
    ("similarity index 100%\ncopy from o\ncopy to n", "", "C", ["copied from o"]),
    ("index 1..2 100644\nGIT binary patch\nliteral 12\nabc\n\nliteral 5\nabc", "", "M", ["binary file, 5 → 12 bytes"]),
    ("index 1..2 100644\nGIT binary patch\ndelta 12\nabc\n\ndelta 5\nabc", "", "M", ["binary file"]),
])  # fmt: skip
def test_in_words(header: str, first: str, status: str, notes: list[str]) -> None:
    file = read_header([b"diff --git a/n b/n", *header.encode().split(b"\n")], first.encode())
    assert (file.path, file.status, file.notes) == ("n", status, notes)


def names(*paths: str) -> list[FileDiff]:
    return [FileDiff(path=path, added=1) for path in paths]


def test_the_tree() -> None:
    files = names("README.md", "src/net/http/a.py", "src/net/http/b.py", "src/x.py")
    tree = build(files)
    assert [(node.depth, node.name, node.added) for node in tree] == [
        (0, "README.md", 1), (0, "src/", 3), (1, "net/http/", 2), (2, "a.py", 1), (2, "b.py", 1), (1, "x.py", 1),
    ]  # fmt: skip
    assert [tree[n].name for n in seen(tree, {"src/net/http/"})] == ["README.md", "src/", "net/http/", "x.py"]
    assert [tree[n].name for n in seen(tree, {"src/"}, "B.PY")] == ["src/", "net/http/", "b.py"]
    assert seen(tree, set(), "nothing") == []


def test_strange_names() -> None:
    deep = "/".join(["d"] * 3000)
    files = names("a", "a/b", "a", f"{deep}/x", f"{deep}/y", "\x1b]0;t\x07/\u202e")
    tree = build(files)
    assert sorted(node.file for node in tree if node.file >= 0) == list(range(6))
    for node in tree:
        file = files[node.file] if node.file >= 0 else None
        shown = node_row(node, file, folded=False, viewed=False, comments=0)
        assert "\x1b" not in "".join(text for text, _ in shown.left)
