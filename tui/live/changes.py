"""What an attempt changed, read from files: the patch, its tree, the comments on it and where they are now."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, field

from engine.tasks import comments
from engine.tasks.comments import DiffReview, Side
from tui.present import patch
from tui.present.file_tree import Node, build
from tui.present.highlight import lexer_for
from tui.present.needle import pattern
from tui.present.patch import ADDED, CONTEXT, REMOVED, PatchIndex
from tui.present.patch_header import FileDiff

# So much of a large patch is shown while the rest is read.
_FIRST = 96 << 10
# Of a patch that is larger than anybody reads, only so much is shown: an index of more would fill the memory.
MOST = 64 << 20


class Changes(Struct, frozen=True):
    """A patch and what is said about it.

    Attributes:
        places: the row of the patch under which each comment stands, by its id; when it is outdated, that of the
            heading of its file. A comment on a file that is not in the patch has none.
        outdated: the ids of the comments whose lines are not in the patch any more.
        whole: False while only the beginning was read.
    """

    patch: PatchIndex
    tree: list[Node]
    review: DiffReview = field(default_factory=DiffReview)
    places: dict[str, int] = field(default_factory=dict)
    outdated: frozenset[str] = frozenset()
    whole: bool = True

    def viewed(self, file: FileDiff) -> bool:
        """Whether a file was marked as viewed and is still as it was then."""
        return self.review.viewed.get(file.path) == file.digest

    def counts(self) -> dict[str, int]:
        """How many comments there are on each path."""
        found: dict[str, int] = {}
        for comment in self.review.comments:
            found[comment.path] = found.get(comment.path, 0) + 1
        return found


def read(path: Path, review: DiffReview) -> Iterator[Changes]:
    """Read a patch, up to `MOST` bytes of it; a large one first as far as a screen or two need it. For a thread.

    Raises:
        OSError: the file cannot be read.
    """
    if path.stat().st_size > 8 * _FIRST:
        beginning = patch.index(path, limit=_FIRST)
        yield Changes(beginning, build(beginning.files), whole=False)
        if beginning.files:
            # It is shown without syntax colours: what makes them is loaded here, where nobody waits.
            lexer_for(beginning.files[0].path)
    found = patch.index(path, limit=MOST)
    yield placed(found, build(found.files), review)


def placed(found: PatchIndex, tree: list[Node], review: DiffReview) -> Changes:
    """The changes with each comment of a review where its lines are now."""
    files = {file.path: number for number, file in enumerate(found.files)}
    places: dict[str, int] = {}
    outdated = set()
    for comment in review.comments:
        number = files.get(comment.path)
        rows, numbers, texts = _side(found, number, comment.side) if number is not None else ([], [], [])
        at = comments.find(comment, numbers, texts)
        if at is not None:
            places[comment.id] = rows[at + len(comment.text) - 1]
            continue
        outdated.add(comment.id)
        if number is not None:
            places[comment.id] = found.files[number].row
    return Changes(found, tree, review, places, frozenset(outdated))


def _side(found: PatchIndex, file: int, side: Side) -> tuple[list[int], list[int], list[str]]:
    """The rows, numbers and texts of the lines that a patch has of one side of a file."""
    kinds = (CONTEXT, REMOVED) if side == "old" else (CONTEXT, ADDED)
    rows, numbers = [], []
    end = found.file_end(file)
    for hunk in found.hunks[bisect_right(found.hunks, found.files[file].row) :]:
        if hunk >= end:
            break
        number = found.numbers(hunk + 1)[side == "new"]
        for row in range(hunk + 1, found.hunk_range(hunk)[1]):
            if found.kinds[row] in kinds:
                rows.append(row)
                numbers.append(number)
                number += 1
    return rows, numbers, [_text(data) for data in found.read_rows(rows)]


def _text(data: bytes) -> str:
    return data[1:].decode("utf-8", "replace")


def search(found: PatchIndex, needle: str) -> array[int]:
    """The rows of a patch whose line of a file has a text, capital or small; for a thread."""
    rows = array("L")
    text = found.whole_text() or b""
    if not needle:
        return rows
    last = -1
    for match in pattern(needle).finditer(text):
        row = bisect_right(found.starts, match.start()) - 1
        if row < 0 or row == last or found.kinds[row] not in (CONTEXT, ADDED, REMOVED):
            continue
        start = found.starts[row]
        if pattern(needle).search(text, start + 1, start + found.lengths[row]):
            rows.append(row)
            last = row
    return rows
