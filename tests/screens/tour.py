"""A walk through every pane and dialog of the workbench, on recorded tasks: what the pictures of the screens show."""

from __future__ import annotations

from dataclasses import dataclass

from engine.bench.publishing import Publishing
from engine.publish import text
from engine.publish.wish import Publication
from engine.tasks import resources
from engine.tasks.resources import Limits, ResourceFile, Sample
from tests.screens import recorded
from tests.screens.test_panes import limited


@dataclass(frozen=True, slots=True)
class Stop:
    """A screen to look at.

    Args:
        name: of its picture.
        keys: that lead to it from the stop before.
        said: what it says when it is there.
        back: the keys that lead back to the panes.
        wide: whether it is another screen where all panes stand side by side.
    """

    name: str
    keys: tuple[str, ...]
    said: str
    back: tuple[str, ...] = ()
    wide: bool = True


STOPS = (
    Stop("log", ("4",), "5 shows the diff"),
    Stop("log-search", ("slash", *"test", "enter"), "12/12", ("escape",)),
    Stop("tasks", ("1",), "leave empty parts", wide=False),
    Stop("tasks-filter", ("slash", *"fail"), "2 of 5", ("escape",)),
    Stop("environment", ("2",), "repository", wide=False),
    Stop("editor", ("e",), "nothing to save"),
    Stop(
        "editor-completion",
        ("enter", "up", *"[net", "enter", "enter", *"a"),
        "Internet of the agent",
    ),
    Stop("editor-leave", ("escape", "escape"), "Leave without", ("y",)),
    Stop("settings-secrets", ("2", "s"), "NPM_TOKEN"),
    Stop("settings-network", ("tab",), "off"),
    Stop("settings-variables", ("tab",), "a adds one"),
    Stop("settings-versions", ("tab",), "python", ("escape",)),
    Stop("cache", ("3",), "7h48m left", wide=False),
    Stop("cache-explain", ("e",), "4f2c91e", ("escape",)),
    Stop("reset", ("R",), "Reset the cache", ("n",)),
    Stop("diff", ("5",), "src/urls.py"),
    Stop("diff-tree", ("t", "j"), "test_urls.py", ("t", "5")),
    Stop("diff-zoomed", ("plus", "right_curly_bracket", "right_curly_bracket"), "@@ -38,8"),
    Stop("diff-other", ("s",), "@@ -38,8", ("s",)),
    Stop("comment", ("right_square_bracket", *"jjjjj", "c", *"why four?"), "why four?"),
    Stop("commented", ("ctrl+s",), "why four?"),
    Stop("comments", ("C",), "why four?", ("escape",)),
    Stop("follow-up", ("f",), "Follow-up", ("escape", "plus", "5")),
    Stop("save-patch", ("e",), "Write the patch", ("escape",)),
    Stop("publish", ("P",), "keep for later", ("escape",)),
    Stop("apply", ("a",), "to your checkout?", ("n",)),
    Stop("network", ("6",), "pypi.example", wide=False),
    Stop("time", ("7",), "peak 600 MiB", wide=False),
    Stop("help", ("4", "question_mark"), "esc closes", ("escape",)),
    Stop("palette", ("colon", *"fil"), "tree of files", ("escape",)),
    Stop("themes", ("T",), "Colour-blind", ("escape",)),
    Stop("new-task", ("n", *"fix it"), "New task"),
    Stop("branches", ("tab", "tab", "tab", "enter"), "dev/login", ("escape", "escape")),
    Stop("attempts", ("1", "g", "j", "enter", "V", "j"), "Attempts", ("escape",)),
    Stop("running-limited", ("1", "g", "enter"), "rg -n proxies="),
    Stop("network-limited", ("6",), "api.test"),
    Stop("time-running", ("7",), "1.3 GiB / 4 GiB"),
    Stop("cancel", ("x",), "Stop", ("n",)),
    Stop("failed", ("1", "G", "k", "enter"), "nosuchpackage"),
    Stop("interrupted", ("1", "G", "enter"), "brings out"),
    Stop("removed", ("1", "D"), "u brings it back"),
)


def tasks(path: str = "") -> None:
    """What the walk shows: a task of each kind, one with a limited network and samples, one with attempts."""
    recorded.interrupted()
    recorded.failed()
    finished = recorded.finished(path=path)
    folder = finished.folder
    ResourceFile(resources.path_of(folder, 1), Limits(2, 4 << 30, 512, 10_000_000_000)).add(
        Sample(recorded.START + 3, 1.1, 600 << 20, 9, 40_000_000)
    )
    recorded.attempts("eeee77", path=path)
    working = limited(path=path)
    file = ResourceFile(resources.path_of(working.folder, 1), Limits(2, 4 << 30, 512, 10_000_000_000))
    for second, cpu in enumerate((0.4, 1.9, 1.7, 0.9, 0.1, 0.5)):
        file.add(
            Sample(recorded.START + 3602 + 2 * second, cpu, (1 + second) * (200 << 20) + (88 << 20), 14, 310_000_000)
        )


class Planning(Publishing):
    """A plan without a repository."""

    def plan(self, reference: str, wanted: Publication, attempt: int = 1) -> Publication:
        title, body = text.proposed(recorded.PROMPT, recorded.ANSWER)
        return Publication("git@forge.example:me/web.git", f"fumehood/{reference}", title, body)
