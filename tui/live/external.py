"""The user's own editor, in place of the workbench while it runs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import EngineError
from tui.editor import edit

if TYPE_CHECKING:
    from textual.app import App


def edit_file(app: App[int], path: Path) -> None:
    """Let the user edit a file; returns when the editor has ended.

    Raises:
        EngineError: the editor does not start, or the terminal cannot be given to it.
    """
    from textual.app import SuspendNotSupported

    try:
        with app.suspend():
            edit(path)
    except SuspendNotSupported as error:
        raise EngineError("there is no terminal for the editor") from error


def edit_text(app: App[int], text: str) -> str:
    """The text as the user left it.

    Raises:
        EngineError: as `edit_file`; or the text is not UTF-8 any more.
    """
    with tempfile.TemporaryDirectory(prefix="fumehood-") as folder:
        path = Path(folder) / "prompt.md"
        path.write_text(text, "utf-8")
        edit_file(app, path)
        try:
            edited = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise EngineError(f"what the editor left cannot be read: {error}", "save it as UTF-8") from error
    # Editors end a file with a newline, prompts have none.
    return edited.removesuffix("\n") if not text.endswith("\n") else edited
