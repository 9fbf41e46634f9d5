"""A bench on recorded tasks: a real engine front desk, journals on disk, no container engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from engine.agents.listing import AgentEntry
from engine.bench import Bench
from engine.bench.agents import Agents
from engine.bench.cache import Cache
from engine.bench.environments import EnvironmentEntry, Environments
from engine.bench.keeper import Keeper
from engine.bench.tasks import Tasks
from engine.cache.decision import Explanation, Snapshot
from engine.cache.key import Key
from engine.environment.load import load
from engine.environment.model import Environment
from engine.environment.trust import require, trust
from engine.errors import UsageError
from engine.keeper.clients import Client
from engine.state import state_dir
from engine.tasks.model import TaskState
from tests.screens import recorded
from tui.app import Workbench
from tui.present import words


class QuietClient(Client):
    """A client of the keeper that starts none."""

    def ensure_keeper(self) -> None:
        """There is none in these tests."""


class RecordedTasks(Tasks):
    """The tasks on disk; none is started, asked or ended, but `calls` says that it was wanted."""

    def __init__(self, environments: Environments, calls: list[tuple[object, ...]]) -> None:
        super().__init__(environments)
        self._calls = calls

    def start(self, environment: Environment, prompt: str, *, branch: str = "", agent: str = "", attempts: int = 1,
              fork: bool = False) -> str:  # fmt: skip
        require(environment)
        self._calls.append(("start", environment.name, prompt, branch, agent, attempts))
        if branch == "gone":
            raise UsageError("there is no branch 'gone'", "it has: 'main'")
        recorded.running("new222", start=words.now())
        return "new222"

    def follow_up(self, reference: str, prompt: str, *, attempt: int = 1, fork: bool = False) -> str:
        self._calls.append(("follow_up", reference, prompt, attempt))
        if "gone" in prompt:
            raise UsageError("its container is gone", "start a new task")
        return reference

    def cancel(self, reference: str) -> TaskState:
        self._calls.append(("cancel", reference))
        return self.get(reference)

    def branches(self, environment: Environment) -> list[str]:
        self._calls.append(("branches", environment.name))
        return ["main", "dev/login", "dev/logout", "release-1"]


class RecordedAgents(Agents):
    """Agents of which one is not installed."""

    def list(self) -> list[AgentEntry]:
        return [AgentEntry("codex", True, "", None, "", False, ("not installed (fumehood agent install codex)",))]


class RecordedCache(Cache):
    """A cache that always has a snapshot, without a container engine."""

    def __init__(self, environments: Environments, calls: list[tuple[object, ...]]) -> None:
        super().__init__(environments)
        self._calls = calls

    def explain(self, environment: Environment) -> Explanation:
        parts = ("format", "image", "maintenance script", "repository", "setup script", "variable DEBUG")
        key = Key("d", dict.fromkeys(parts, "x"), {})
        snapshot = Snapshot("sha256:aa", environment.id, environment.name, key, 0.0, "4f2c91e", 12.6, 1_214_000_000)
        reason = "nothing it depends on changed · age 4h12m"
        return Explanation("hit", reason, "d", (), 15120.0, 28110.0, snapshot)

    def use(self) -> tuple[int, int]:
        return 3_100_000_000, 20_000_000_000

    def reset(self, environment: Environment) -> str:
        self._calls.append(("reset", environment.name))
        return f"{environment.name}: 1 snapshot removed"


class RecordedKeeper(Keeper):
    """The keeper's files, without a keeper; `opened` says what it was asked to take care of."""

    def __init__(self, opened: list[list[Path]]) -> None:
        self._opened = opened

    def open(self, environments: Iterable[Path]) -> Client:
        self._opened.append(list(environments))
        return QuietClient(self._opened[-1])


class RecordedBench(Bench):
    """The real bench, but nothing is started and the cache answers without a container engine."""

    def __init__(self, cwd: Path) -> None:
        super().__init__(cwd)
        self.calls: list[tuple[object, ...]] = []
        self.opened: list[list[Path]] = []
        self.tasks = RecordedTasks(self.environments, self.calls)
        self.cache = RecordedCache(self.environments, self.calls)
        self.keeper = RecordedKeeper(self.opened)
        self.agents = RecordedAgents()

    def entry(self) -> EnvironmentEntry:
        """The one environment."""
        return self.environments.list()[0]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a trusted environment file, as the current folder."""
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "fumehood.toml").write_text(recorded.ENVIRONMENT)
    (folder / "replay.json").write_text('[{"final": "ok"}]')
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    trust(load(folder / "fumehood.toml"))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def bench(project: Path) -> RecordedBench:
    """A bench in that checkout."""
    return RecordedBench(project)


@pytest.fixture
def app(bench: RecordedBench) -> Callable[..., Workbench]:
    """Makes a workbench on that bench."""
    return lambda task=None: Workbench(bench, task)


@pytest.fixture
def still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Screens show the recorded time: 42 seconds after the running task's last event."""
    monkeypatch.setattr(words, "now", lambda: recorded.START + 3600 + 62)


def task_folders() -> list[str]:
    """The ids on disk."""
    return sorted(path.name for path in (state_dir() / "tasks").iterdir())
