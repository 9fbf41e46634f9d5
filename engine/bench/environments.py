"""Environment files: which there are, what they say, writing and changing them, and the user's trust in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.errors import EnvironmentInvalid

if TYPE_CHECKING:
    from engine.cache.effect import Effect
    from engine.environment.first import FirstLook
    from engine.environment.model import Environment
    from engine.environment.problem import Problem
    from engine.environment.rewrite import Change
    from engine.environment.trust import Review
    from engine.setup.effective import Effective


class EnvironmentEntry(NamedTuple):
    """An environment file within reach: loaded, or with what is wrong with it (SPEC E2)."""

    path: Path
    name: str
    environment: Environment | None
    problems: tuple[Problem, ...]


class Edited(NamedTuple):
    """The text of an environment file before it is saved: what it says, its problems, what it does to the snapshot.

    `effect` is None when there is nothing to compare: one of the two contents has errors.
    """

    environment: Environment | None
    problems: tuple[Problem, ...]
    effect: Effect | None


class Environments:
    """The environment files within reach of the folder `cwd`."""

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd

    def list(self) -> Sequence[EnvironmentEntry]:
        """Every environment file within reach; a bad one has its problems and does not hide the others."""
        from engine.environment.find import known
        from engine.environment.load import load

        entries = []
        for path in known(self.cwd):
            try:
                environment = load(path)
                entries.append(EnvironmentEntry(path, environment.name, environment, ()))
            except EnvironmentInvalid as error:
                entries.append(EnvironmentEntry(path, path.stem, None, error.problems))
        return entries

    def load(self, reference: str | None = None) -> Environment:
        """The environment of this path or name; None means the nearest one.

        Raises:
            UsageError: there is none, or several; EnvironmentInvalid: its file has problems.
        """
        from engine.environment.find import find
        from engine.environment.load import load as load_file

        return load_file(find(reference, self.cwd))

    def effective(self, environment: Environment) -> Effective:
        """The scripts that run for an environment, with those of automatic setup for its default branch.

        Raises:
            RepositoryError: automatic setup is wanted and the repository cannot be read.
            Untrusted: it is wanted, and the user has not agreed to the file that names a repository elsewhere.
        """
        from engine.environment.trust import require
        from engine.repository.source import Source
        from engine.tasks.inputs import Inputs

        source = Source.of(environment)
        if environment.setup.auto and source.kind == "remote":
            require(environment)
        return Inputs(environment, source).effective

    def review(self, environment: Environment) -> Review:
        """What the user agrees to by trusting the environment, and whether that was done (SPEC E7)."""
        from engine.environment.trust import review

        return review(environment)

    def trust(self, environment: Environment) -> None:
        """Agree to run what the environment's file says, as long as its content stays."""
        from engine.environment.trust import trust

        trust(environment)

    def editing(self, path: Path) -> Callable[[], None]:
        """What to call when the user has edited the file: the trust in what it said goes over to what it says then."""
        from engine.environment.edit import editing

        return editing(path)

    def text(self, path: Path) -> bytes:
        """The bytes of an environment file, valid or not.

        Raises:
            EngineError: it cannot be read.
        """
        from engine.environment.save import content

        return content(path)

    def edited(self, path: Path, data: bytes) -> Edited:
        """What the file would be with this content; nothing is stored."""
        from engine.cache.effect import effect
        from engine.environment.load import parse, read

        environment, problems = parse(data, path)
        before = read(path)[0]
        return Edited(environment, tuple(problems), effect(before, environment) if before and environment else None)

    def save(self, path: Path, data: bytes, *, before: str | None) -> None:
        """Store what the user edited; see `engine.environment.edit.store`."""
        from engine.environment.edit import store

        store(path, data, before=before)

    def change(self, path: Path, changes: Sequence[Change]) -> Edited:
        """Change single values of an environment file, and not another byte of it.

        Raises:
            EnvironmentInvalid: with these values it cannot be used; it stays as it was.
            EngineError: the file cannot be edited safely, or not be written.
        """
        from engine.environment.edit import store
        from engine.environment.rewrite import changed
        from engine.environment.save import sha256

        text = self.text(path)
        after = changed(text, changes)
        edited = self.edited(path, after)
        if edited.environment is None:
            first = next(problem for problem in edited.problems if problem.severity == "error")
            raise EnvironmentInvalid(f"{first.key}: {first.message}", first.hint, edited.problems)
        store(path, after, before=sha256(text))
        return edited

    def write(self, path: Path, data: Mapping[str, Any], *, force: bool = False) -> None:
        """Write an environment file, which is trusted then: what the user had made here needs no question.

        Raises:
            UsageError: the file exists and `force` is not given.
        """
        from engine.environment.init import write as write_file
        from engine.environment.load import load
        from engine.environment.trust import trust

        write_file(path, data, force=force)
        trust(load(path))

    def first_look(self) -> FirstLook:
        """What a first environment file of the project here would be (SPEC E3); nothing is written."""
        from engine.environment.first import look

        return look(self.cwd)

    def init(self, look: FirstLook) -> Path:
        """Write the first environment file that was looked at; returns its path."""
        from engine.environment.model import FILE_NAME

        path = look.folder / FILE_NAME
        self.write(path, look.data)
        return path

    def demo(self) -> Environment:
        """The sample that `fumehood demo` works on, in a git repository of its own in the data folder; trusted."""
        from engine.data import sample_envs_dir
        from engine.repository.create import from_folder
        from engine.state import data_dir

        sample = "python-pip"
        environment = self.load(str(from_folder(sample_envs_dir() / sample, data_dir() / "demo" / sample)))
        self.trust(environment)
        return environment
