"""Where results are handed over: what the front desk offers of it (SPEC T10)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import EngineError, UsageError
from engine.publish.wish import Publication

if TYPE_CHECKING:
    from engine.bench.environments import Environments
    from engine.bench.tasks import Tasks
    from engine.publish.publication import Note, Outcome
    from engine.publish.wish import Publishable
    from engine.tasks.events import Published


class Publishing:
    """Branches, pull requests and bundles of the results of tasks; relative paths are those of the folder `cwd`."""

    def __init__(self, cwd: Path, environments: Environments, tasks: Tasks) -> None:
        self.cwd, self._environments, self._tasks = cwd, environments, tasks

    def plan(self, reference: str, wanted: Publication, attempt: int = 0) -> Publication:
        """What would be published, with every default filled in that is known without asking the remote.

        Raises:
            EngineError: there is no result, or no remote.
        """
        from engine.publish.publication import filled

        return filled(self._publishable(reference, attempt), wanted)

    def push(self, reference: str, wanted: Publication, attempt: int = 0) -> Outcome:
        """Push a result as a branch; see `engine.publish.publication.push`."""
        from engine.publish.publication import push

        with self._publishing(reference, attempt) as (result, note):
            return push(result, wanted, note)

    def pull_request(self, reference: str, wanted: Publication, attempt: int = 0) -> Outcome:
        """Push a result and open or update its request; see `engine.publish.publication.pull_request`."""
        from engine.publish.publication import pull_request

        with self._publishing(reference, attempt) as (result, note):
            return pull_request(result, wanted, note)

    def ref(self, reference: str, attempt: int = 0) -> tuple[Path, str]:
        """The repository and the ref from which `git fetch` takes a result, with the agent's own commits."""
        result = self._publishable(reference, attempt)
        return result.git_dir, f"refs/tasks/{result.state.id}/{result.attempt}"

    def bundle(self, reference: str, path: Path, attempt: int = 0) -> str:
        """Write a result, with the agent's own commits, as a bundle to a new file; returns the command that takes it.

        Raises:
            UsageError: there is something at `path`; EngineError: it holds a known secret, or cannot be written.
        """
        import shlex

        from msgspec.structs import replace

        from engine.publish.check import refuse_secrets
        from engine.repository import push as git

        result = self._publishable(reference, attempt)
        refuse_secrets(result, replace(Publication(), commits=True, allow_likely_secrets=True), result.sha)
        _, ref = self.ref(reference, attempt)
        try:
            git.bundle(result.git_dir, result.state.base_sha, ref, self.cwd / path.expanduser())
        except FileExistsError:
            raise UsageError(f"{path} is there already", "give another name, or remove it") from None
        except OSError as error:
            raise EngineError(f"cannot write {path}: {error.strerror}", "give another name") from error
        return shlex.join(("git", "fetch", str(path), ref))

    def _publishable(self, reference: str, attempt: int) -> Publishable:
        from engine.publish.wish import Publishable
        from engine.repository.mirror import Mirror
        from engine.repository.out import Results
        from engine.repository.source import Source
        from engine.tasks.secrets import secret_values

        state = self._tasks.get(reference)
        attempt = attempt or state.chosen
        if not 1 <= attempt <= len(state.attempts):
            raise UsageError(f"task {state.id} has no attempt {attempt}", f"it has 1 to {len(state.attempts)}")
        found = state.attempts[attempt - 1]
        if not state.finished:
            raise UsageError(f"task {state.id} still works", f"wait for it: fumehood logs -f {state.id}")
        if not found.result_sha:
            hint = f"see `fumehood status {state.id}`"
            raise EngineError(f"attempt {attempt} of task {state.id} has no result to publish", hint)
        environment = self._environments.load(state.environment_path)
        source = Source.of(environment)
        git_dir = Results(Mirror(source)).git_dir
        values = secret_values(environment)
        return Publishable(state, attempt, git_dir, source, values, found.result_sha, found.collected_at, self.cwd)

    @contextmanager
    def _publishing(self, reference: str, attempt: int) -> Iterator[tuple[Publishable, Note]]:
        """The result, while nobody else publishes one of its task, and what writes down that it was."""
        from engine.state import locked
        from engine.tasks.journal import Journal

        folder = self._tasks.folder(reference)

        def note(event: Published) -> None:
            journal = Journal(folder)
            journal.append(event)
            journal.close()

        with locked(folder / "publish.lock"):
            yield self._publishable(reference, attempt), note
