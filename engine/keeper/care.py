"""Taking care of one environment while somebody has it open: its snapshot fresh, a container standing by (SPEC C5)."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.cache import snapshots
from engine.cache.decision import Explanation, Snapshot, decide
from engine.cache.key import Key
from engine.containers.endpoint import connect
from engine.environment import trust
from engine.environment.load import load
from engine.errors import Cancelled, EngineError, PhaseFailed
from engine.keeper import rebuilds
from engine.keeper.clients import keeper_dir
from engine.keeper.refresh import Refresh
from engine.repository.source import Source
from engine.repository.watched import differences, digest, folders_of, git_folders, in_checkout
from engine.state import private_dir
from engine.tasks import events as ev
from engine.tasks import standby
from engine.tasks.image import context_of
from engine.tasks.journal import Journal
from engine.tasks.prepare import base_image, prepared
from engine.tasks.recorder import Recorder
from engine.tasks.secrets import secret_values
from engine.tasks.spec import fresh_folder
from engine.tasks.stop import Order
from engine.tasks.work import Work

if TYPE_CHECKING:
    from engine.environment.model import Environment

JOBS_KEPT = 20
# A file is settled when it was seen alike this many seconds apart; one that went away often comes back.
_SETTLED, _GONE = 0.06, 0.5
_MAINTENANCE = "maintenance script"


def jobs_dir() -> Path:
    """One folder for each refresh and rebuild, with its journal and the output of its commands."""
    return keeper_dir() / "jobs"


class _Sight(Struct, frozen=True):
    """An environment as it is now: its key, its snapshots, what a start of its default branch would find."""

    work: Work
    key: Key
    found: list[Snapshot]
    decision: Explanation
    committed: Mapping[str, str]
    edited: Mapping[str, str]


class Care:
    """One environment; `look` sees to it that all is as it should be. One thread at a time may call it.

    Attributes:
        folders: the folders in which a change is a reason to look again.
    """

    def __init__(
        self, path: Path, emit: Callable[[ev.Event], None], order: Order, may_stand_by: Callable[[], bool]
    ) -> None:
        self.path = path
        self.folders: set[Path] = {path.parent, trust.records_dir()}
        self._emit, self._order, self._may_stand_by = emit, order, may_stand_by
        self._name = path.stem
        self._told = ""
        self._file = b""
        self._failed: set[tuple[str, str]] = set()
        self._unbuilt: tuple[str, EngineError] | None = None
        self._seen: Mapping[str, str] | None = None
        self._touched = False
        self._ready: Refresh | None = None
        self._work: Work | None = None

    def look(self) -> None:
        """Do what has to be done now; returns when nothing is left to do. Never raises an EngineError."""
        try:
            while not self._order.event.is_set() and self._step(self._see()):
                pass
        except Cancelled:
            return
        except EngineError as error:
            self._waiting(error.message)

    def close(self) -> None:
        """Nobody has the environment open any more: remove what stands by for it."""
        self._drop_ready()
        if self._work is not None:
            standby.withdraw(self._work.api, self._work.environment.id)

    # -- seeing ----------------------------------------------------------------------------------------------------

    def _see(self) -> _Sight | None:
        environment = self._load()
        if environment is None:
            return None
        work = self._new_work(environment, private_dir(keeper_dir() / "environments" / environment.id), environment.id)
        self._work = work
        checkout = work.checkout
        committed = work.watched
        edited = self._edited(work, committed)
        self.folders = self._folders(work)
        key = work.key(self._image(work), work.secrets)
        found = snapshots.of_environment(work.api, environment.id)
        decision = decide(
            found,
            key,
            now=time.time(),
            ttl=environment.cache.ttl,
            reset_at=snapshots.reset_time(environment.id),
            enabled=environment.cache.enabled,
            watched=committed,
        )
        assert checkout
        return _Sight(work, key, found, decision, committed, edited)

    def _image(self, work: Work) -> str:
        """The environment's image; a build that failed is not tried again before something it is made from changes."""
        here = context_of(work.environment).digest() if work.environment.image.build else ""
        if self._unbuilt is not None and self._unbuilt[0] == here:
            raise self._unbuilt[1]
        self._unbuilt = None
        try:
            return base_image(work)
        except Cancelled:
            raise
        except EngineError as error:
            if here:
                self._unbuilt = (here, error)
            raise

    def _load(self) -> Environment | None:
        """The environment, once its file is settled and trusted."""
        while (now := self._bytes()) != self._file:
            self._file = now
            time.sleep(_SETTLED)
        environment = load(self.path)
        self._name = environment.name
        if trust.trusted(environment):
            return environment
        self._waiting(f"{self.path} is not trusted as it is now: fumehood env trust {self.path}")
        return None

    def _bytes(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError:
            return b""

    def _edited(self, work: Work, committed: Mapping[str, str]) -> Mapping[str, str]:
        """The watched files as they stand in the checkout, settled; those of the commit while nobody touched them."""
        patterns = work.effective.watch
        if work.source.kind != "local" or not patterns:
            return committed
        folder, like = Path(work.source.url, work.source.subdirectory), work.checkout.target.sha
        before, now = self._seen, in_checkout(folder, patterns, like=like)
        while True:
            time.sleep(_GONE if before is not None and before.keys() - now.keys() else _SETTLED)
            again = in_checkout(folder, patterns, like=like)
            if again == now:
                break
            now = again
        self._touched |= before is not None and before != now
        self._seen = now
        return now if self._touched else committed

    def _folders(self, work: Work) -> set[Path]:
        found = {
            self.path.parent,
            trust.records_dir(),
            standby.folder(),
            snapshots.reset_folder(),
            rebuilds.folder(),
            *git_folders(work.source),
        }
        if work.environment.image.build:
            found.add((work.environment.directory / work.environment.image.build).parent)
        if work.source.kind == "local" and work.effective.watch:
            top = Path(work.source.url, work.source.subdirectory)
            found |= set(folders_of(top, work.effective.watch))
        return found

    def _new_work(self, environment: Environment, folder: Path, name: str) -> Work:
        recorder = Recorder(folder, Journal(folder))
        secrets = secret_values(environment)
        if secrets:
            from engine.secrets.masker import Masker

            recorder.masker = Masker(secrets)
        return Work(environment, Source.of(environment), name, folder, "", recorder, connect(), self._order, secrets)

    # -- doing -----------------------------------------------------------------------------------------------------

    def _step(self, sight: _Sight | None) -> bool:
        """Do the most urgent thing; whether to look again."""
        if sight is None:
            self._drop_ready()
            return False
        if rebuilds.taken(sight.work.environment.id):
            self._failed.discard((sight.key.digest, ""))
            self._rebuild(sight, "asked for", anew=True)
            return True
        for wanted in (sight.edited, sight.committed):
            root, why = _refresh_due(sight, wanted)
            if root and (sight.key.digest, digest(wanted)) not in self._failed:
                self._refresh(sight, root, wanted, why)
                return True
        if sight.decision.changed and _root(sight) is None and (sight.key.digest, "") not in self._failed:
            self._rebuild(sight, sight.decision.reason)
            return True
        self._waited_enough()
        self._stand_by(sight)
        self._get_ready(sight)
        return False

    def _refresh(self, sight: _Sight, root: Snapshot, wanted: Mapping[str, str], why: str) -> None:
        refresh = self._take_ready(sight, root) or Refresh(self._job(sight.work.environment), root)
        job = refresh.work

        def run() -> None:
            try:
                refresh.run(sight.key, sight.committed, wanted, why)
            finally:
                refresh.close()

        self._do("refresh", job, why, run, (sight.key.digest, digest(wanted)))

    def _rebuild(self, sight: _Sight, why: str, *, anew: bool = False) -> None:
        """Run setup; `anew`: although there is a snapshot, which stays until the new one is there."""
        job = self._job(sight.work.environment)
        # What waits in a container of the old snapshot would keep it from being removed.
        standby.withdraw(job.api, job.environment.id)
        self._drop_ready()

        def run() -> None:
            began = time.time()
            with prepared(job, to_start=False, anew=anew) as base:
                if anew:
                    snapshots.reset(job.environment.id, began)
                    snapshots.remove_outdated(job.api, job.environment, sight.key, keep=base.image)

        self._do("rebuild", job, why, run, (sight.key.digest, ""))

    def _do(self, action: str, job: Work, why: str, run: Callable[[], None], failure: tuple[str, str]) -> None:
        began = time.monotonic()
        self._tell(action, "started", why, job.id)
        try:
            run()
        except PhaseFailed as error:
            self._failed.add(failure)
            self._tell(action, "failed", f"{error.message}; the snapshot stays as it was", job.id, began, error.tail)
        except EngineError as error:
            self._order.check()
            self._failed.add(failure)
            self._tell(action, "failed", f"{error}; the snapshot stays as it was", job.id, began)
        else:
            self._tell(action, "done", why, job.id, began)
        finally:
            job.recorder.flush()

    def _stand_by(self, sight: _Sight) -> None:
        work, snapshot = sight.work, sight.decision.snapshot
        usable = sight.decision.result == "hit" and snapshot is not None and work.environment.cache.standby
        offered = standby.offered(work, snapshot) if usable and snapshot else None
        if offered:
            return
        standby.withdraw(work.api, work.environment.id)
        if usable and snapshot and self._may_stand_by():
            began = time.monotonic()
            standby.offer(work, snapshot)
            self._tell("standby", "done", f"at {work.checkout.target.sha[:9]}", "", began)

    def _get_ready(self, sight: _Sight) -> None:
        """Have the container of the next refresh running: then its script starts at once."""
        runs, root = sight.work.effective, _root(sight)
        useful = runs.watch and runs.maintenance_script.strip() and root and sight.work.environment.cache.standby
        if not useful or root is None or not self._may_stand_by():
            self._drop_ready()
        elif self._ready is None or not _fits(self._ready, sight, root):
            self._drop_ready()
            refresh = Refresh(self._job(sight.work.environment), root)
            refresh.get_ready()
            self._ready = refresh

    def _take_ready(self, sight: _Sight, root: Snapshot) -> Refresh | None:
        if self._ready is None or not _fits(self._ready, sight, root):
            return None
        refresh, self._ready = self._ready, None
        return refresh

    def _drop_ready(self) -> None:
        if self._ready is not None:
            self._ready.close()
            shutil.rmtree(self._ready.work.folder, ignore_errors=True)
            self._ready = None

    def _job(self, environment: Environment) -> Work:
        """The work of a refresh or rebuild, in a folder of its own; old ones are removed."""
        folder = fresh_folder(jobs_dir())
        for old in sorted(jobs_dir().iterdir(), key=lambda path: path.stat().st_mtime)[:-JOBS_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        return self._new_work(environment, folder, folder.name)

    # -- telling ---------------------------------------------------------------------------------------------------

    def _tell(self, action: str, status: str, reason: str, job: str = "", began: float = 0.0, tail: str = "") -> None:
        seconds = round(time.monotonic() - began, 3) if began else 0.0
        self._emit(
            ev.Kept(
                environment=self._name,
                environment_path=str(self.path),
                action=action,  # type: ignore[arg-type]
                status=status,  # type: ignore[arg-type]
                reason=reason,
                job=job,
                seconds=seconds,
                tail=tail,
            )
        )

    def _waiting(self, reason: str) -> None:
        """Tell once why nothing can be done."""
        if reason != self._told:
            self._told = reason
            self._tell("watch", "waiting", reason)

    def _waited_enough(self) -> None:
        """What was waited for is there; tell it, unless what was done about it did."""
        if self._told:
            self._told = ""
            self._tell("watch", "ended", "all is well again")


def _root(sight: _Sight) -> Snapshot | None:
    """What a refresh starts from: the newest valid snapshot straight from setup, under any maintenance script."""
    usable = (s for s in sight.found if not s.root and s.key.differs_only_in(sight.key, _MAINTENANCE))
    return next((s for s in usable if _alone(sight, s)), None)


def _alone(sight: _Sight, snapshot: Snapshot) -> bool:
    environment = sight.work.environment
    reset_at = snapshots.reset_time(environment.id)
    found = decide(
        [snapshot], snapshot.key, now=time.time(), ttl=environment.cache.ttl, reset_at=reset_at,
        enabled=environment.cache.enabled,
    )  # fmt: skip
    return found.result == "hit"


def _refresh_due(sight: _Sight, wanted: Mapping[str, str]) -> tuple[Snapshot | None, str]:
    """The snapshot to refresh, and why, when none has seen these contents of the watched files; else None."""
    root = _root(sight)
    if root is None or not wanted or not sight.work.effective.maintenance_script.strip():
        return None, ""
    same = [s for s in sight.found if s.key.digest == sight.key.digest and s.maintained and _alone(sight, s)]
    if any(s.maintained and s.maintained.files == wanted for s in same):
        return None, ""
    if root.key.digest != sight.key.digest and not same:
        return root, f"{_MAINTENANCE} changed"
    last = max(same, key=lambda s: s.changed_at).maintained if same else None
    changed = differences(last.files, wanted) if last else []
    return root, ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "") or (
        "maintenance has not run since setup"
    )


def _fits(ready: Refresh, sight: _Sight, root: Snapshot) -> bool:
    return (
        ready.root.image == root.image
        and ready.work.environment == sight.work.environment
        and ready.work.checkout.target.sha == sight.work.checkout.target.sha
    )
