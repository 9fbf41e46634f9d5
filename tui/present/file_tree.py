"""The files of a patch as a tree of folders: what stands on its lines, folded and filtered."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeAlias

from msgspec import Struct, field

from tui.present.patch_header import FileDiff
from tui.present.row import Row, Span, row
from tui.present.text import one_name

_DEEPEST = 40
STATUS = {"A": "ok", "D": "bad", "M": "warn", "R": "accent", "C": "accent", "T": "muted"}


class Node(Struct, frozen=True):
    """A file (its number in the patch), or a folder (-1) whose content are the nodes up to `end`."""

    name: str
    path: str
    depth: int
    file: int
    end: int
    added: int
    removed: int
    files: int = 1


_Folder: TypeAlias = "dict[str, _Folder | int]"


def build(files: Sequence[FileDiff]) -> list[Node]:
    """The tree in the order of the patch; a folder that holds nothing but a folder is one with it."""
    top: _Folder = {}
    for number, file in enumerate(files):
        *folders, name = file.path.split("/", _DEEPEST)
        here = top
        for folder in folders:
            # A patch may say that a name is a file and a folder; the file then goes by its whole name.
            inner = here.setdefault(f"{folder}/", {})
            assert isinstance(inner, dict)
            here = inner
        here[name if name not in here else f"{name}\n{number}"] = number
    return _Builder(files).nodes(top)


class _Builder(Struct):
    files: Sequence[FileDiff]
    made: list[Node | None] = field(default_factory=list)

    def nodes(self, top: _Folder) -> list[Node]:
        for name, inside in top.items():
            self._node(name, "", inside, 0)
        return [node for node in self.made if node]

    def _node(self, name: str, above: str, inside: _Folder | int, depth: int) -> tuple[int, int, int]:
        at = len(self.made)
        self.made.append(None)
        if isinstance(inside, int):
            file = self.files[inside]
            self.made[at] = Node(name.partition("\n")[0], file.path, depth, inside, at + 1, file.added, file.removed)
            return file.added, file.removed, 1
        while len(inside) == 1 and isinstance(only := next(iter(inside.values())), dict):
            name, inside = name + next(iter(inside)), only
        path = above + name
        counts = [self._node(inner, path, content, depth + 1) for inner, content in inside.items()]
        added, removed, files = (sum(column) for column in zip(*counts, strict=True))
        self.made[at] = Node(name, path, depth, -1, len(self.made), added, removed, files)
        return added, removed, files


def seen(nodes: Sequence[Node], folded: Collection[str], needle: str = "") -> list[int]:
    """The nodes that are on a line: not inside a folded folder; with a needle, only what leads to a path with it."""
    if needle:
        return _matching(nodes, needle.lower())
    found, number = [], 0
    while number < len(nodes):
        found.append(number)
        node = nodes[number]
        number = node.end if node.file < 0 and node.path in folded else number + 1
    return found


def _matching(nodes: Sequence[Node], needle: str) -> list[int]:
    found: list[int] = []
    above: list[int] = []
    for number, node in enumerate(nodes):
        while above and nodes[above[-1]].end <= number:
            above.pop()
        if node.file < 0:
            above.append(number)
        elif needle in node.path.lower():
            found += [folder for folder in above if not found or folder > found[-1]]
            found.append(number)
    return found


def node_row(node: Node, file: FileDiff | None, *, folded: bool, viewed: bool, comments: int) -> Row:
    """A line of the tree; the letter of a file's status stands where the triangle of a folder does."""
    indent = "  " * min(node.depth, 12)
    name = one_name(node.name)
    if file is None:
        right: tuple[Span, ...] = ((f"{node.files} ", "faint"),) if folded else ()
        return row(f" {indent}", ("▸ " if folded else "▾ ", "muted"), (name, "muted"), right=right)
    return row(
        f" {indent}",
        (f"{file.status} ", STATUS.get(file.status, "muted")),
        (name, "faint" if viewed else ""),
        right=tuple(_right(file, viewed, comments)),
    )


def _right(file: FileDiff, viewed: bool, comments: int) -> list[Span]:
    spans: list[Span] = [("⚠ ", "warn")] if file.hidden else []
    spans += [(f"▍{comments} ", "accent")] if comments else []
    if viewed:
        return [*spans, ("✓ ", "ok")]
    spans += [("binary", "muted")] if file.binary else []
    spans += [(f" +{file.added}", "added")] if file.added else []
    spans += [(f" −{file.removed}", "removed")] if file.removed else []
    return [*spans, (" ", "")]
