"""Every action of the workbench, once: keys, footer, help, palette and the table of keys are made from this."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from textual.binding import Binding, BindingType

GROUPS = {
    "everywhere": "Everywhere",
    "tasks": "1 Tasks",
    "environment": "2 Environment",
    "cache": "3 Cache",
    "log": "4 Log",
    "diff": "5 Diff",
    "files": "5 Diff, in the tree of files",
    "network": "6 Network",
    "list": "Moving in any list",
}
PANE_OF = {"files": "diff"}
"""The pane that a group of keys works in, where it is not the group's own."""


class Action(Struct, frozen=True):
    """Something the user can do.

    Args:
        id: unique; `action_ID` is the method that does it.
        keys: Textual key names; the first is the one shown.
        group: where it works, a key of `GROUPS`.
        label: for the footer, one or two words.
        tooltip: for help and palette, a sentence without its full stop.
        hint: whether the footer names it.
        by_screen: the screen does it, though its keys only work in the pane of its group.
    """

    id: str
    keys: tuple[str, ...]
    group: str
    label: str
    tooltip: str
    hint: bool = False
    by_screen: bool = False

    @property
    def key(self) -> str:
        """The key to show, as it is on the keyboard: the user's own, if there is one."""
        return shown(_own_keys.get(self.id, self.keys)[0])

    @property
    def all_keys(self) -> str:
        """All keys, as they are on the keyboard."""
        return " ".join(shown(key) for key in _own_keys.get(self.id, self.keys))


# The keys of this process's user, by the id of the action; see `use`.
_own_keys: dict[str, tuple[str, ...]] = {}


def use(keys: Mapping[str, tuple[str, ...]]) -> None:
    """From now on show these keys of the user's (`keymap.read`) instead of the actions' own."""
    _own_keys.clear()
    _own_keys.update(keys)


_NAMES = {
    "ampersand": "&", "question_mark": "?", "slash": "/", "plus": "+", "underscore": "_", "minus": "-",
    "left_square_bracket": "[",
    "right_square_bracket": "]", "left_curly_bracket": "{", "right_curly_bracket": "}", "escape": "esc",
    "pageup": "PgUp", "pagedown": "PgDn", "up": "↑", "down": "↓", "left": "←", "right": "→",
    "less_than_sign": "<", "greater_than_sign": ">",
    "shift+tab": "S-tab", "shift+down": "S-↓", "shift+up": "S-↑",
    "equals_sign": "=", "colon": ":", "comma": ",", "full_stop": ".", "exclamation_mark": "!", "at": "@",
}  # fmt: skip
SHOWN = {shown: name for name, shown in _NAMES.items()}
"""Textual's names by what is on the keyboard."""

ACTIONS = (
    Action("new_task", ("n",), "everywhere", "new", "Write a prompt and start a task", True),
    Action("apply", ("a",), "everywhere", "apply", "Apply the diff of this task to your checkout", True),
    Action("cancel_task", ("x",), "everywhere", "cancel", "Stop this task", True),
    Action("attempts", ("V",), "everywhere", "attempts", "Compare the attempts of this task and pick one", True),
    Action("reset_cache", ("R",), "everywhere", "reset cache", "Throw the snapshot of this environment away", True),
    Action("zoom", ("plus",), "everywhere", "zoom", "Give this pane the whole screen, or take it back", True),
    Action("unzoom", ("underscore", "minus"), "everywhere", "unzoom", "Show all panes again"),
    Action("divider_left", ("less_than_sign",), "everywhere", "", "Move the line beside this pane to the left"),
    Action("divider_right", ("greater_than_sign",), "everywhere", "", "Move the line beside this pane to the right"),
    Action("divider_up", ("ctrl+up",), "everywhere", "", "Move the line between upper and lower panes up"),
    Action("divider_down", ("ctrl+down",), "everywhere", "", "Move the line between upper and lower panes down"),
    Action("usual_sizes", ("equals_sign",), "everywhere", "usual sizes", "Give all panes their usual sizes"),
    Action("pane_1", ("1",), "everywhere", "tasks", "Go to the tasks"),
    Action("pane_2", ("2",), "everywhere", "environment", "Go to the environment"),
    Action("pane_3", ("3",), "everywhere", "cache", "Go to the cache"),
    Action("pane_4", ("4",), "everywhere", "log", "Go to the log"),
    Action("pane_5", ("5",), "everywhere", "diff", "Go to the diff"),
    Action("pane_6", ("6",), "everywhere", "network", "Go to what the task asked of the network"),
    Action("pane_7", ("7",), "everywhere", "time", "Go to where the time went, and what the containers used"),
    Action("next_pane", ("tab",), "everywhere", "next pane", "Go to the next pane"),
    Action("previous_pane", ("shift+tab",), "everywhere", "previous pane", "Go to the pane before"),
    Action("undo", ("u",), "everywhere", "undo", "Take back what was removed last", True),
    Action("themes", ("T",), "everywhere", "theme", "Choose the colours"),
    Action("palette", ("colon", "ctrl+p"), "everywhere", "palette", "Find an action, a task, an environment, a theme"),
    Action("redraw", ("ctrl+l",), "everywhere", "redraw", "Write the whole screen again"),
    Action("jump", ("ctrl+o",), "everywhere", "go to", "Find a task or an environment and go there"),
    Action("back", ("escape",), "everywhere", "back", "Leave the filter, the zoom, or go back to the tasks"),
    Action("help", ("question_mark",), "everywhere", "help", "Show every key, and which work here", True),
    Action("quit_bench", ("q", "ctrl+c"), "everywhere", "quit", "Leave; running tasks go on", True),
    Action("open_task", ("enter",), "tasks", "open", "Open this task and go to its log", True),
    Action("filter_tasks", ("slash",), "tasks", "filter", "Show only tasks that contain words", True, by_screen=True),
    Action("retry_task", ("r",), "tasks", "retry", "Start a new task with the same prompt", True, by_screen=True),
    Action(
        "collect_task",
        ("b",),
        "tasks",
        "bring out",
        "Make a diff of what an interrupted or stopped agent did",
        True,
        by_screen=True,
    ),
    Action("remove_task", ("D",), "tasks", "remove", "Remove this task", True, by_screen=True),
    Action("next_environment", ("right_square_bracket",), "environment", "next", "The next one", True, by_screen=True),
    Action("previous_environment", ("left_square_bracket",), "environment", "", "Show the one before", by_screen=True),
    Action("edit_environment", ("e",), "environment", "edit", "Edit its file here", True, by_screen=True),
    Action("reload", ("r",), "environment", "reload", "Read the environment files again", True, by_screen=True),
    Action("settings", ("s",), "environment", "settings", "Secrets, network, variables …", True, by_screen=True),
    Action("edit_outside", ("E",), "environment", "$EDITOR", "Edit its file in $EDITOR", by_screen=True),
    Action(
        "init_environment",
        ("i",),
        "environment",
        "init",
        "See what a first file would be; write it",
        True,
        by_screen=True,
    ),
    Action("refresh_cache", ("r",), "cache", "refresh", "Look at the cache again", True, by_screen=True),
    Action("explain_cache", ("e",), "cache", "explain", "Everything the decision depends on", True, by_screen=True),
    Action("cache_log", ("enter",), "cache", "log", "The log of the last refresh or rebuild", True, by_screen=True),
    Action("rebuild_cache", ("b",), "cache", "rebuild", "Run setup again now, in the background", True, by_screen=True),
    Action("collect_cache", ("c",), "cache", "clear up", "Remove what no start can use any more", True, by_screen=True),
    Action(
        "fold",
        ("enter", "space"),
        "log",
        "fold",
        "Fold or unfold this; from a refused request, go to allow it",
        True,
    ),
    Action("log_search", ("slash",), "log", "search", "Find a text", True),
    Action("log_filter", ("ampersand",), "log", "only", "Show only lines that contain a text", True),
    Action("log_next", ("n",), "log", "", "To the next match"),
    Action("log_previous", ("N",), "log", "", "To the match before"),
    Action("next_failure", ("right_square_bracket",), "log", "next failure", "Go to the next failure", True),
    Action("previous_failure", ("left_square_bracket",), "log", "", "Go to the failure before"),
    Action("follow", ("G", "end"), "log", "follow", "Go to the end and follow what happens", True),
    Action("fold_all", ("o",), "log", "fold all", "Fold or unfold everything"),
    Action("raw", ("r",), "log", "raw", "This output raw and whole, then of all commands", True),
    Action("log_wrap", ("w",), "log", "wrap", "Wrap long lines, or cut them", True),
    Action("log_times", ("t",), "log", "times", "Show when each line came, or do not"),
    Action("mark_down", ("shift+down", "J"), "log", "", "Select one more row below"),
    Action("mark_up", ("shift+up", "K"), "log", "", "Select one more row above"),
    Action("copy_log", ("y",), "log", "copy", "Copy the selection, or the line, command or text at the cursor", True),
    Action("copy_command", ("Y",), "log", "copy command", "Copy the command whose output this is"),
    Action("save_log", ("s", "ctrl+s"), "log", "save", "Write what is shown to a file, as plain text"),
    Action("log_pager", ("p",), "log", "pager", "Read what is shown in $PAGER, as plain text"),
    Action("next_attempt", ("v",), "log", "attempt", "Show the next attempt of this task", by_screen=True),
    Action("next_hunk", ("right_square_bracket",), "diff", "next hunk", "Go to the next hunk", True),
    Action("previous_hunk", ("left_square_bracket",), "diff", "", "Go to the hunk before"),
    Action("next_file", ("right_curly_bracket",), "diff", "next file", "Go to the next file", True),
    Action("previous_file", ("left_curly_bracket",), "diff", "", "Go to the file before"),
    Action(
        "comment",
        ("c",),
        "diff",
        "comment",
        "Comment on this line or selection, or edit this comment",
        True,
        by_screen=True,
    ),
    Action(
        "send_comments",
        ("f",),
        "diff",
        "follow-up",
        "Ask for more, with the comments not sent yet",
        True,
        by_screen=True,
    ),
    Action("search", ("slash",), "diff", "search", "Find a text in the lines", True, by_screen=True),
    Action("toggle_files", ("t",), "diff", "files", "Go to the tree of files, or hide it", True, by_screen=True),
    Action(
        "split", ("s",), "diff", "side by side", "Old and new side by side, or one under another", True, by_screen=True
    ),
    Action("other_side", ("O",), "diff", "other side", "Side by side: the cursor to the old or the new text"),
    Action(
        "hide_space",
        ("W", "ctrl+w"),
        "diff",
        "white space",
        "Hide changes of white space alone, or show them",
        by_screen=True,
    ),
    Action("comments", ("C",), "diff", "comments", "List all comments", by_screen=True),
    Action("delete_comment", ("d",), "diff", "delete comment", "Delete this comment", by_screen=True),
    Action("select", ("v",), "diff", "select", "Begin or end a selection of lines"),
    Action("extend_down", ("shift+down", "J"), "diff", "", "Select one more line below"),
    Action("extend_up", ("shift+up", "K"), "diff", "", "Select one more line above"),
    Action("fold_file", ("enter", "space"), "diff", "fold", "Fold or unfold this file"),
    Action("fold_files", ("o",), "diff", "fold all", "Fold or unfold all files"),
    Action(
        "mark_viewed",
        ("m",),
        "diff",
        "viewed",
        "Mark this file as viewed and fold it, or take the mark away",
        by_screen=True,
    ),
    Action("next_match", ("n",), "diff", "", "To the next line that has it"),
    Action("previous_match", ("N",), "diff", "", "To the line before that has it"),
    Action("copy_lines", ("y",), "diff", "copy", "Copy the selected lines, or this hunk", by_screen=True),
    Action("copy_path", ("Y",), "diff", "copy path", "Copy the name of this file", by_screen=True),
    Action("publish", ("P",), "diff", "publish", "Push as a branch, or open a pull request", True, by_screen=True),
    Action("save_patch", ("e",), "diff", "export", "Write the patch to a file", by_screen=True),
    Action(
        "filter_files",
        ("slash",),
        "files",
        "filter",
        "Show only files whose path contains a text",
        True,
        by_screen=True,
    ),
    Action("fold_folder", ("space",), "files", "fold", "Fold or unfold this folder", True),
    Action("fold_folders", ("o",), "files", "fold all", "Fold or unfold all folders", True),
    Action("fold_host", ("enter", "space"), "network", "fold", "Show or hide the single requests of this host", True),
    Action(
        "allow_task", ("A",), "network", "allow", "Let this task reach the host that was refused", True, by_screen=True
    ),
    Action(
        "allow_environment", ("E",), "network", "allow always", "Let all later tasks reach it", True, by_screen=True
    ),
    Action(
        "filter_requests",
        ("slash",),
        "network",
        "filter",
        "Show only requests that contain a text",
        True,
        by_screen=True,
    ),
    Action("list_down", ("j", "down"), "list", "down", "One row down"),
    Action("list_up", ("k", "up"), "list", "up", "One row up"),
    Action("list_page_down", ("pagedown",), "list", "page down", "One page down"),
    Action("list_page_up", ("pageup",), "list", "page up", "One page up"),
    Action("list_half_down", ("ctrl+d",), "list", "half page down", "Half a page down"),
    Action("list_half_up", ("ctrl+u",), "list", "half page up", "Half a page up"),
    Action("list_top", ("g", "home"), "list", "top", "To the first row"),
    Action("list_end", ("G", "end"), "list", "end", "To the last row"),
    Action("list_right", ("l", "right"), "list", "right", "Show what is further right"),
    Action("list_left", ("h", "left"), "list", "left", "Show what is further left"),
    Action("list_open", ("enter",), "list", "open", "Choose this row"),
)


def shown(key: str) -> str:
    """A Textual key name as it is on the keyboard."""
    if key.startswith("ctrl+"):
        return f"^{shown(key.removeprefix('ctrl+'))}"
    return _NAMES.get(key, key)


def keymap() -> dict[str, str]:
    """The user's keys as Textual takes them."""
    return {action_id: ",".join(keys) for action_id, keys in _own_keys.items()}


def key_of(action_id: str) -> str:
    """The key of an action, for texts that name it."""
    return next(action.key for action in ACTIONS if action.id == action_id)


def of(group: str) -> list[Action]:
    """The actions of a group, in the order of the registry."""
    return [action for action in ACTIONS if action.group == group]


def group_of(action_id: str) -> str:
    """The group of an action."""
    return next((action.group for action in ACTIONS if action.id == action_id), "")


def bindings(*groups: str, by_screen: bool = False) -> list[BindingType]:
    """The key bindings of groups, for a screen or a widget; with `by_screen`, only of what the screen does."""
    return [
        Binding(
            ",".join(action.keys),
            f"screen.{action.id}" if action.by_screen else action.id,
            action.label or action.tooltip,
            tooltip=action.tooltip,
            id=action.id,
        )
        for group in groups
        for action in of(group)
        if action.by_screen or not by_screen
    ]
