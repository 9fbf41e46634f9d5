"""Pane 5: what the agent changed, and what the user has to say about it."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal

from engine import sizes
from engine.tasks.model import TaskState
from tui.live.changes import Changes
from tui.live.preferences import Preferences
from tui.panes.pane import Pane
from tui.present import diff, words
from tui.present.row import Row, row
from tui.widgets.bar import Bar
from tui.widgets.diff_view import DiffView
from tui.widgets.file_tree import FileTree
from tui.widgets.filter import FilterField
from tui.widgets.line_view import LineView

# Beside the lines the tree needs so much room; in less it takes their place when it is asked for.
_FILES_BESIDE = 100
_FILES_BY_ITSELF = 110


class DiffPane(Pane):
    """The tree of files, the lines, and under them where the cursor is."""

    NUMBER, NAME, GROUP = 5, "Diff", "diff"

    def __init__(self, preferences: Preferences) -> None:
        super().__init__()
        self.preferences = preferences
        self._asked_for_files = False
        self._filtering = False

    def compose(self) -> ComposeResult:
        """Files and lines; the field for a text to look for comes when it is asked for."""
        with Horizontal():
            yield FileTree(widget_id="diff-files")
            yield DiffView(widget_id="diff-view")
        yield Bar(widget_id="diff-status")

    def on_mount(self) -> None:
        """As it was left the last time."""
        self.diff_view.split_wanted = self.preferences.diff_split
        self.diff_view.hide_space = bool(self.preferences.diff_hide_space)

    @property
    def view(self) -> LineView:
        """The lines have the keys, or the tree where it stands in their place."""
        return self.files if self.has_class("-files-only") else self.diff_view

    @property
    def keys(self) -> str:
        """The group of keys that work where the focus is."""
        return "files" if self.files.has_focus else "diff"

    def view_of(self, group: str) -> LineView:
        """The tree for what is done with folders, else the lines."""
        return self.files if group == "files" else self.diff_view

    @property
    def diff_view(self) -> DiffView:
        """The lines."""
        return self.query_one(DiffView)

    @property
    def files(self) -> FileTree:
        """The files."""
        return self.query_one(FileTree)

    @property
    def changes(self) -> Changes | None:
        """What is shown."""
        return self.diff_view.changes

    def show(self, changes: Changes | None, state: TaskState | None, fault: str = "") -> None:
        """Show a patch, or say why there is none."""
        lines = [fault] if fault else _why_none(state)
        self.diff_view.set_placeholder(row(""), *(row(f"  {line}" if line else "", role="") for line in lines))
        if changes is not None and not changes.patch.files:
            changes = None
        if changes is None or self.changes is None or changes.patch.path != self.changes.patch.path:
            self._asked_for_files = False
            self._remove_field()
        self.diff_view.show(changes)
        self.files.show(changes)
        self._place_files()
        self.tick()

    def tick(self) -> None:
        """Bring title and status up to date; paints only what reads differently."""
        changes, view = self.changes, self.diff_view
        if changes is None:
            self.set_title("")
            self.query_one("#diff-status", Bar).show(row(""))
            return
        size = "".join(text for text, _ in diff.title(changes.patch))
        file = changes.patch.files[min(view.file_number, len(changes.patch.files) - 1)]
        said = diff.place_words(file, self._words(changes))
        self.set_title(size if changes.whole else "…", note=said[: max(10, self.inside - 4)])
        right = ((f"{size} ", "muted"),) if changes.whole else ()
        self.query_one("#diff-status", Bar).show(Row(((f" {said}", "muted"),), right))

    def _words(self, changes: Changes) -> list[str]:
        view, patch, said = self.diff_view, changes.patch, []
        if changes.whole and patch.indexed < patch.size:
            said.append(f"{sizes.words(patch.indexed)} of {sizes.words(patch.size)} shown; e writes it whole")
        if view.needle:
            at = view.match_number
            found = f"{at:,} of {len(view.matches):,}" if at else words.count(len(view.matches), "line")
            said.append(f'"{view.needle}": {found}')
        if view.mark is not None:
            said.append("selecting")
        viewed = sum(map(changes.viewed, changes.patch.files)) if changes.review.viewed else 0
        said += [f"{viewed:,}/{len(changes.patch.files):,} viewed"] if viewed else []
        said += [words.count(len(changes.review.comments), "comment")] if changes.review.comments else []
        return [*said, *(["white space hidden"] if view.hide_space else [])]

    @on(DiffView.Changed)
    def _changed(self) -> None:
        self.tick()

    # Files

    def toggle_files(self) -> None:
        """Go to the tree of files; when it has the keys already, hide it."""
        tree = self.files
        leave = tree.display and (tree.has_focus or not self.diff_view.has_focus)
        self._want_files(not leave)
        (self.diff_view if leave else tree).focus()

    def _want_files(self, wanted: bool) -> None:
        self._asked_for_files = wanted
        if self.size.width >= _FILES_BESIDE:
            self.preferences.keep(diff_files=wanted)
        self._place_files()

    def _place_files(self) -> None:
        tree, wanted = self.files, self.preferences.diff_files
        beside = self.size.width >= _FILES_BESIDE
        by_itself = wanted if wanted is not None else self.size.width >= _FILES_BY_ITSELF
        several = tree.changes is not None and len(tree.changes.patch.files) > 1
        tree.display = tree.changes is not None and (self._asked_for_files or (beside and several and by_itself))
        self.set_class(tree.display and not beside, "-files-only")

    def on_resize(self) -> None:
        """The tree comes and goes with the room."""
        self._place_files()
        self.tick()

    @on(LineView.Moved, "#diff-view")
    def _moved(self) -> None:
        if self.changes is not None:
            if not self.files.has_focus:
                self.files.to_file(self.diff_view.file_number)
            self.tick()

    @on(LineView.Moved, "#diff-files")
    def _chosen(self) -> None:
        node = self.files.node
        if self.files.has_focus and node is not None and node.file >= 0:
            self.diff_view.to_file(node.file)

    @on(LineView.Opened, "#diff-files")
    def _opened(self) -> None:
        node = self.files.node
        if node is None:
            return
        if node.file < 0:
            self.files.action_fold_folder()
            return
        if self.has_class("-files-only"):
            self._want_files(False)
        self.diff_view.to_file(node.file)
        self.diff_view.focus()

    # How it looks

    def toggle_split(self) -> None:
        """Side by side, or one under another; kept."""
        view = self.diff_view
        view.split_wanted = not view.split
        self.preferences.keep(diff_split=view.split_wanted)
        view.arrange_again()

    def toggle_space(self) -> None:
        """Hide changes of white space alone, or show them; kept. What is applied is always everything."""
        view = self.diff_view
        view.hide_space = not view.hide_space
        self.preferences.keep(diff_hide_space=view.hide_space)
        view.arrange_again()

    # Looking for something

    def open_search(self) -> None:
        """Ask what to look for in the lines."""
        self._open_field(self.diff_view.needle, "find in the lines …")

    def open_file_filter(self) -> None:
        """Ask what the paths of the files are to contain."""
        self._open_field(self.files.needle, "show only files whose path contains …")

    def _open_field(self, text: str, placeholder: str) -> None:
        self._filtering = self.files.has_focus
        self._remove_field()
        self.mount(FilterField(text, placeholder=placeholder), after=self.query_one(Horizontal))

    def set_filter(self, text: str) -> None:
        """Another text is looked for."""
        if self._filtering:
            self.files.filter(text)
        else:
            self.diff_view.search(text)

    def filter_entered(self) -> None:
        """To the first that was found; the field goes, what was found stays marked."""
        self._remove_field()
        if self._filtering:
            self.files.focus()
            return
        self.diff_view.focus()
        self.diff_view.to_first_match()

    def _remove_field(self) -> bool:
        found = self.query(FilterField)
        found.remove()
        return bool(found)

    def back(self) -> bool:
        """Leave what is innermost: the selection, the search, the tree in place of the lines."""
        if self._remove_field():
            self.set_filter("")
            (self.files if self._filtering else self.diff_view).focus()
            return True
        if self.files.has_focus and self.files.needle:
            self.files.filter("")
            return True
        if self.diff_view.unselect():
            return True
        if self.diff_view.needle:
            self.diff_view.search("")
            return True
        if self.files.has_focus:
            if self.has_class("-files-only"):
                self._want_files(False)
            self.diff_view.focus()
            return True
        return False


def _why_none(state: TaskState | None) -> list[str]:
    if state is None:
        return ["The changes of a task are shown here."]
    if not state.finished:
        return ["The diff comes when the agent is done.", "", "Until then the log (4) shows what it does."]
    if state.status in ("ready", "applied"):
        return ["Nothing was changed."]
    ended = "failed" if state.status == "error" else f"was {state.status}"
    return [f"There is no diff: the task {ended}.", "", "The log (4) says why."]
