"""Tasks with results, made without a container: what an agent did is done in a clone."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from engine.bench import Bench
from engine.environment.load import load
from engine.environment.trust import trust
from engine.repository.mirror import Mirror
from engine.repository.out import Results
from engine.repository.source import Source
from engine.state import private_dir, tasks_dir
from engine.tasks import events as ev
from engine.tasks.journal import Journal
from tests.unit.repository.repositories import commit, git, make

ENVIRONMENT = """name = "app"
[agent]
use = "command"
command = ["true"]
"""
ANSWER = "The sum was off by one.\n\nIt starts at zero now, and all tests pass.\n"
COLLECTED = 1_790_000_000.0


class Made:
    """A checkout with a remote `origin`, and tasks on it."""

    def __init__(self, folder: Path, *, more: str = "") -> None:
        self.folder = folder
        files = {"fumehood.toml": ENVIRONMENT + more, "a.txt": "1\n2\n3\n", "run.sh": "echo\n", "old.txt": "old\n" * 9}
        self.checkout = make(folder / "app", files=files)
        self.origin = folder / "origin.git"
        git("clone", "-q", "--bare", str(self.checkout), str(self.origin), cwd=folder)
        git("remote", "add", "origin", str(self.origin), cwd=self.checkout)
        trust(load(self.checkout / "fumehood.toml"))
        self.bench = Bench(self.checkout)

    @property
    def base(self) -> str:
        """The commit that tasks begin with."""
        return git("rev-parse", "main", cwd=self.checkout)

    def task(
        self, work: Callable[[Path], None], *, task: str = "abc234", answer: str = ANSWER, attempt: int = 1
    ) -> str:
        """A task that has ended: `work` is what its agent did in a clone; its last state is the result."""
        clone = self.folder / f"agent-{task}-{attempt}"
        git("clone", "-q", str(self.checkout), str(clone), cwd=self.folder)
        work(clone)
        agent = git("rev-parse", "HEAD", cwd=clone)
        sha = commit(clone, "Result") if git("status", "--porcelain", cwd=clone) else agent
        self.collect(clone, sha, agent, task, attempt)
        self.journal(sha, task, answer, attempt)
        return task

    def collect(self, clone: Path, sha: str, agent: str, task: str, attempt: int) -> None:
        """Take the result over, as from a container."""
        bundle = self.folder / f"{task}.bundle"
        git("update-ref", "refs/heads/result", sha, cwd=clone)
        git("update-ref", "refs/heads/agent", agent, cwd=clone)
        refs = ["refs/heads/result", *(["refs/heads/agent"] if agent != self.base else [])]
        git("bundle", "create", "-q", str(bundle), *refs, f"^{self.base}", cwd=clone)
        mirror = Mirror(Source.from_url(str(self.checkout), self.folder))
        mirror.update()
        Results(mirror).receive(bundle, task=task, attempt=attempt, base=self.base)

    def journal(self, sha: str, task: str, answer: str, attempt: int) -> None:
        """What a supervisor would have written."""
        folder = private_dir(tasks_dir() / task)
        journal = Journal(folder)
        if attempt == 1:
            path = str(self.checkout / "fumehood.toml")
            created = ev.TaskCreated(id=task, environment="app", environment_path=path, repository=".",
                                     prompt="fix the sum", agent="command", branch="main")  # fmt: skip
            journal.append(created)
            journal.append(ev.TaskBase(branch="main", base_sha=self.base))
        journal.append(ev.RunStarted(run=attempt, agent="command", turn=1))
        journal.append(ev.RunFinished(run=attempt, status="completed", answer=answer, exit_code=0))
        journal.append(ev.DiffReady(run=attempt, base_sha=self.base, result_sha=sha, files_changed=1, lines_added=1,
                                    lines_removed=1))  # fmt: skip
        journal.append(ev.TaskStatus(status="ready"))
        journal.close()
        attempts = private_dir(folder / "attempts" / str(attempt))
        patch = subprocess.run(["git", "diff", "--binary", self.base, sha], cwd=self.folder / f"agent-{task}-{attempt}",
                               check=True, capture_output=True)  # fmt: skip
        (attempts / "diff.patch").write_bytes(patch.stdout)

    def branches(self, repository: Path | None = None) -> dict[str, str]:
        """The branches of a repository, `origin` unless named."""
        listed = git("for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads",
                     cwd=repository or self.origin)  # fmt: skip
        return dict(line.split() for line in listed.splitlines())


def edit(clone: Path) -> None:
    """An agent that edits one file and commits nothing."""
    (clone / "a.txt").write_text("0\n1\n2\n3\n")
