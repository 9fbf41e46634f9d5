"""What came of a task: the diffs of its attempts, what users say about them, and where they go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import EngineError, UsageError

if TYPE_CHECKING:
    from engine.bench.environments import Environments
    from engine.bench.tasks import Tasks
    from engine.environment.model import Environment
    from engine.repository.apply import ApplyOutcome
    from engine.repository.diff import DiffStat
    from engine.tasks.comments import DiffReview
    from engine.tasks.model import TaskState


class Results:
    """The results of tasks; relative paths are those of the folder `cwd`."""

    def __init__(self, cwd: Path, environments: Environments, tasks: Tasks) -> None:
        self.cwd, self._environments, self._tasks = cwd, environments, tasks

    def patch(self, reference: str, attempt: int = 1) -> Path:
        """The file that holds the diff of an attempt; it is there once the attempt was collected."""
        return self._tasks.folder(reference) / "attempts" / str(attempt) / "diff.patch"

    def diff(self, reference: str, attempt: int = 0, turn: int = 0) -> bytes:
        """The diff of an attempt, as `git apply` takes it; of one of its turns alone when `turn` is given.

        `attempt` is the one picked, or the first, unless given; so it is in all that follows here.

        Raises:
            UsageError: there is no such attempt or turn, or it has no result (yet).
        """
        state = self._tasks.get(reference)
        attempt = attempt or state.chosen
        if turn:
            from engine.repository.diff import diff_bytes

            return diff_bytes(*self._span(state, attempt, turn))
        if not 1 <= attempt <= len(state.attempts):
            raise UsageError(f"task {state.id} has no attempt {attempt}", f"it has 1 to {len(state.attempts)}")
        try:
            return self.patch(state.id, attempt).read_bytes()
        except FileNotFoundError:
            hint = "wait for it: `fumehood logs -f`" if not state.finished else f"see `fumehood status {state.id}`"
            raise EngineError(f"task {state.id} has no diff: it is {state.status}", hint) from None

    def stat(self, reference: str, attempt: int = 0, turn: int = 0) -> DiffStat:
        """Which files an attempt changed, and by how much; `turn` as in `diff`."""
        from engine.repository.diff import stat as stat_of

        state = self._tasks.get(reference)
        attempt = attempt or state.chosen
        self.diff(state.id, attempt)
        return stat_of(*self._span(state, attempt, turn))

    def export(self, reference: str, path: Path, attempt: int = 0) -> str:
        """Write the diff of an attempt to a new file; returns what happened in one line.

        Raises:
            UsageError: there is something at `path` already; EngineError: it cannot be written, or there is no diff.
        """
        data = self.diff(reference, attempt)
        try:
            with (self.cwd / path.expanduser()).open("xb") as file:
                file.write(data)
        except FileExistsError:
            raise UsageError(f"{path} is there already", "give another name, or remove it") from None
        except OSError as error:
            raise EngineError(f"cannot write {path}: {error.strerror}", "give another name") from error
        return f"{path}: {len(data):,} bytes written"

    def review(self, reference: str, attempt: int = 1) -> DiffReview:
        """The comments on the diff of an attempt, and which of its files were marked as viewed (SPEC W5).

        Raises:
            EngineError: the file that holds them is damaged.
        """
        from engine.tasks import comments

        return comments.read(self._tasks.folder(reference), attempt)

    def change_review(self, reference: str, attempt: int, how: Callable[[DiffReview], DiffReview]) -> DiffReview:
        """Change comments or marks, as in `lambda review: review.put(comment)`; returns the review as it is then.

        Raises:
            EngineError: the file that holds them is damaged, or cannot be written.
        """
        from engine.tasks import comments

        return comments.change(self._tasks.folder(reference), attempt, how)

    def apply(self, reference: str, attempt: int = 0, *, preflight: bool = False, force: bool = False) -> ApplyOutcome:
        """Apply the diff of an attempt to the local checkout of its environment (SPEC T10).

        With `force`, also to files that hold uncommitted work.

        Raises:
            EngineError: the repository is not a local checkout, or there is no diff.
        """
        from engine.repository.apply import apply as apply_patch
        from engine.repository.source import Source
        from engine.tasks import events as ev
        from engine.tasks.journal import append_to

        state = self._tasks.get(reference)
        attempt = attempt or state.chosen
        self.diff(state.id, attempt)
        environment = self._environments.load(state.environment_path)
        source = Source.of(environment)
        if source.kind != "local":
            raise EngineError(f"{source.url} is not a local checkout", f"pipe it: fumehood diff {state.id} | git apply")
        self._refuse_secrets(environment, state.id, attempt)
        outcome = apply_patch(self.patch(state.id, attempt), Path(source.url), preflight=preflight, force=force)
        if outcome.applied and state.status == "ready":
            append_to(self._tasks.folder(state.id), ev.TaskStatus(status="applied"))
        return outcome

    def _span(self, state: TaskState, attempt: int, turn: int) -> tuple[Path, str, str]:
        """The repository with the results, and the commits between which the work of an attempt (or turn) lies."""
        from engine.repository import out
        from engine.repository.mirror import Mirror
        from engine.repository.source import Source

        results = state.attempts[attempt - 1].results if 1 <= attempt <= len(state.attempts) else {}
        if turn and turn not in results:
            known = ", ".join(str(number) for number in results) or "none"
            raise UsageError(f"attempt {attempt} of task {state.id} has no result of turn {turn}", f"it has: {known}")
        before = [results[number] for number in sorted(results) if number < turn]
        git_dir = out.Results(Mirror(Source.of(self._environments.load(state.environment_path)))).git_dir
        return git_dir, before[-1] if before else state.base_sha, results[turn or max(results)]

    def _refuse_secrets(self, environment: Environment, task: str, attempt: int) -> None:
        """A diff that holds the value of a secret is not published (SPEC S4)."""
        from engine.publish.check import refuse
        from engine.secrets.diff_scan import scan_diff
        from engine.tasks.secrets import secret_values

        refuse(scan_diff(self.diff(task, attempt), secret_values(environment)), task, likely_too=False)
