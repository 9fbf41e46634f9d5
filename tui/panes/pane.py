"""What all panes have: a number to reach it by, a frame with a title when there is room, one view that has the keys."""

from __future__ import annotations

from typing import ClassVar

from textual.containers import Vertical
from textual.content import Content
from textual.style import Style

from tui.present.text import content
from tui.widgets.line_view import LineView


class Pane(Vertical):
    """A numbered part of the bench; `group` names its actions in the registry."""

    NUMBER: ClassVar[int] = 0
    NAME: ClassVar[str] = ""
    GROUP: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__(id=self.GROUP)
        self._titles: tuple[str, str] = ("", "")
        # Other panes in the same place: the action that goes there, and its name.
        self._beside: tuple[tuple[str, str], ...] = ()

    @property
    def view(self) -> LineView:
        """The view that gets the focus when the pane does."""
        return self.query_one(LineView)

    @property
    def keys(self) -> str:
        """The group of actions whose keys work where the focus is."""
        return self.GROUP

    def view_of(self, group: str) -> LineView:
        """The view that does the actions of a group."""
        return self.view

    def back(self) -> bool:
        """Leave what is innermost in this pane; False when there is nothing to leave."""
        return False

    @property
    def inside(self) -> int:
        """Cells between the frame's sides."""
        return max(10, self.content_size.width)

    def fit(self, rows: int) -> None:
        """Be as high as these rows need where panes stand one above another."""
        self.styles.height = rows + 2 if self.styles.border_top[0] else "1fr"

    def on_mount(self) -> None:
        """The frame says at once what this is."""
        self.set_title("")

    def set_title(self, about: str, *, note: str = "") -> None:
        """The title at the top of the frame, and a note at its bottom; untrusted text is fine."""
        if (about, note) == self._titles and self.border_title is not None:
            return
        self._titles = (about, note)
        self._show_title()

    def set_beside(self, panes: tuple[tuple[str, str], ...]) -> None:
        """Name the panes that stand in the same place and are not seen; a click on a name goes there."""
        if panes != self._beside:
            self._beside = panes
            self._show_title()

    def _show_title(self) -> None:
        about, note = self._titles
        title: Content = content((f"{self.NUMBER} {self.NAME}", "bold"))
        for action, name in self._beside:
            title += content(" ─ ") + Content.styled(name, Style.from_meta({"@click": f"screen.{action}"}))
        self.border_title = title + content(f" ─ {about}") if about else title
        self.border_subtitle = content(note) if note else None

    def on_click(self) -> None:
        """A click anywhere in a pane, its frame too, gives it the keys."""
        if not self.has_focus_within:
            self.screen.set_focus(self.view, scroll_visible=False)
