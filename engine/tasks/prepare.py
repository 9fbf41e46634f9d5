"""From an environment to an image that a task can start in: the cache's decision, else clone, setup, snapshot."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from msgspec import Struct
from msgspec.structs import replace

from engine.cache import snapshots
from engine.cache.decision import Explanation, Maintained, Snapshot
from engine.cache.key import Key
from engine.containers import images
from engine.containers.container import Container, Mount, create
from engine.durations import words
from engine.errors import ContainerError, PhaseFailed, RepositoryError
from engine.repository import into
from engine.state import locked
from engine.tasks import events as ev
from engine.tasks.disk import check_room
from engine.tasks.recorder import phase, skipped
from engine.tasks.sampler import sampled
from engine.tasks.scripted import run_script
from engine.tasks.scripts import BASHRC, BASHRC_CONTENT, HOME
from engine.tasks.secrets import given, nothing_left_behind
from engine.tasks.standby import Standby, take
from engine.tasks.work import Work, undisturbed

MIRROR = "/run/fumehood/mirror"


class Base(Struct, frozen=True):
    """What a task's containers start from: a snapshot of the cache, or (not `kept`) one for this task alone.

    `maintained`: as in `Explanation`. `standby`: a container of it that runs already.
    """

    snapshot: Snapshot
    kept: bool
    maintained: Maintained | None = None
    standby: Standby | None = None

    @property
    def image(self) -> str:
        """The image's id."""
        return self.snapshot.image


def base_image(work: Work) -> str:
    """The id of the environment's image, built or pulled when the engine does not have it (SPEC E1).

    Raises:
        ContainerError: it is nowhere to be had, or its build failed.
    """
    if work.environment.image.build:
        from engine.tasks.image import built

        return built(work)
    name = work.environment.image.name
    found = images.find(work.api, name)
    if found:
        return found
    if name.startswith("fumehood/base"):
        hint = "check the digest" if "@" in name else "make it on this machine: `fumehood image bootstrap`"
        raise ContainerError(f"image {name} is not there", hint)
    return images.pull(work.api, name, work.note, work.stop.check)


@contextmanager
def prepared(work: Work, *, to_start: bool = True, anew: bool = False) -> Iterator[Base]:
    """The snapshot of the environment, found or made (SPEC C1–C3), and not removed by anybody within the block.

    Somebody who wants it `to_start` a task gets the container that stands by, too. With `anew` it is made in any case.

    One process at a time makes it, others wait and then use it: the environment's lock is held alone while a
    snapshot is made or removed, and shared from finding one to having a container of it.

    Raises:
        PhaseFailed: clone or setup failed; nothing is cached (SPEC T3).
    """
    image_id = base_image(work)
    key = work.key(image_id, work.secrets)
    lock, waiting = snapshots.lock_path(work.environment.id), _Waiting(work)
    with locked(lock, waiting, shared=True):
        decision = snapshots.explain(work.api, work.environment, key, work.watched)
        if decision.result == "hit" and not anew:
            yield _hit(work, decision, to_start)
            return
    if decision.result == "off":
        _tell(work, decision)
        yield _build(work, image_id, key, decision)
        return
    with locked(lock, waiting):
        decision = snapshots.explain(work.api, work.environment, key, work.watched)
        if anew:
            decision = replace(decision, result="miss", reason="a new snapshot was asked for", snapshot=None)
        if decision.result == "hit":
            yield _hit(work, decision, to_start)
        else:
            _tell(work, decision)
            yield _build(work, image_id, key, decision)


class _Waiting:
    """Called while another task builds the snapshot: says so once, and lets the task be cancelled."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._told = False

    def __call__(self) -> None:
        if not self._told:
            text = "waiting for another task that is setting this environment up"
            self._work.recorder.emit(ev.Notice(level="info", text=text))
        self._told = True
        self._work.stop.check()


def _tell(work: Work, decision: Explanation, standby: Standby | None = None) -> None:
    work.recorder.emit(
        ev.CacheDecision(
            result="standby" if standby else decision.result,
            reason=decision.reason,
            key=decision.key,
            changed=list(decision.changed),
            age_seconds=decision.age_seconds,
            image=decision.image,
        )
    )


def _hit(work: Work, decision: Explanation, to_start: bool) -> Base:
    assert decision.snapshot is not None
    standby = take(work, decision.snapshot) if to_start else None
    _tell(work, decision, standby)
    skipped(work.recorder, "setup", f"cache hit, saved {words(decision.snapshot.setup_seconds)}")
    return Base(decision.snapshot, kept=True, maintained=decision.maintained, standby=standby)


def _build(work: Work, image_id: str, key: Key, decision: Explanation) -> Base:
    """Clone, set up and commit in a container of its own, which no agent ever sees."""
    started = time.monotonic()
    with ExitStack() as after:
        with phase(work.recorder, "clone"):
            checkout = work.checkout
            work.stop.check()
            mounts = (Mount(checkout.mirror.git_dir, MIRROR),)
            container = create(work.api, work.container_spec(image_id, "setup", 1, mounts), work.stop.event)
            after.callback(container.remove)
            after.enter_context(undisturbed(work, container))
            folders = dict.fromkeys((f"{HOME}/", "/workspace/"), (b"", 0o1777))
            container.put_all({**folders, BASHRC: (BASHRC_CONTENT.encode(), 0o644)})
            container.start()
            after.enter_context(sampled(work, container, 1))
            _fit(work, container, image_id)
            _clone(work, container, checkout.default.sha)
        _setup(work, container)
        with phase(work.recorder, "snapshot"):
            _discover(work, container)
            # What setup did to tracked files is undone now, as every resume would; what it added is remembered.
            into.checkout(container, work.repository_dir, checkout.default.sha)
            into.record_leftovers(container, work.repository_dir)
            seconds = round(time.monotonic() - started, 3)
            check_room(work, container)
            snapshot = Snapshot(
                "",
                work.environment.id,
                work.environment.name,
                key,
                time.time(),
                checkout.default.sha,
                seconds,
                0,
                _maintained(work),
            )
            snapshot = _commit(work, container, snapshot, kept=decision.result != "off")
    if decision.result != "off":
        snapshots.remove_outdated(work.api, work.environment, key, keep=snapshot.image)
    return Base(snapshot, kept=decision.result != "off", maintained=snapshot.maintained)


def _fit(work: Work, container: Container, image_id: str) -> None:
    """See whether anything can run in a container of the image, before setup begins (SECURITY-CASES B07).

    Raises:
        ContainerError: it cannot; says what the image lacks.
    """
    title, hint = (
        work.environment.image.title,
        "use an image with bash and git, or make one: `fumehood image bootstrap`",
    )
    try:
        said = container.bash("echo bash; type -P git")
        if not said.out.startswith(b"bash\n"):
            raise ContainerError(f"image {title} has no working bash", hint)
    except ContainerError as error:
        if foreign := images.foreign(work.api, image_id):
            raise ContainerError(f"image {title} {foreign}", "name one for this machine") from error
        if container.status() != "running":
            raise ContainerError(f"image {title} has no working bash or no coreutils", hint) from error
        raise
    if said.exit_code:
        raise ContainerError(f"image {title} has no git", hint)


def _clone(work: Work, container: Container, sha: str) -> None:
    mirror = _readable_mirror(container)
    for text in into.clone(container, mirror=mirror, workspace=work.repository_dir, sha=sha):
        work.recorder.emit(ev.Notice(level="info", text=text))
    if mirror != MIRROR and container.bash('rm -rf -- "$1"', mirror).exit_code:
        raise ContainerError("the copy of the repository that was cloned cannot be removed", "nothing is stored")
    if container.bash('[ -d "$1" ]', work.workdir).exit_code:
        raise RepositoryError(
            f"the repository has no folder {work.source.subdirectory} at {sha[:9]}", "commit it, then start again"
        )


def _readable_mirror(container: Container) -> str:
    """Where the image's own user can read the mirror: on the host, nobody but this user may enter its folder.

    Two copies: root may read it, and git trusts only what its own user owns. The clone is made of the second.
    """
    if container.bash('[ -r "$1/HEAD" ]', MIRROR).exit_code == 0:
        return MIRROR
    ours, theirs = f"{HOME}/mirror-root", f"{HOME}/mirror"
    told = bytearray()

    def as_root(*argv: str) -> bool:
        return container.exec(argv, lambda _, data: told.extend(data), user="0").code == 0

    copied = as_root("cp", "-r", "--no-preserve=all", "--", MIRROR, ours)
    done = container.bash('cp -r -- "$1" "$2"', ours, theirs)
    if not (copied and done.exit_code == 0 and as_root("rm", "-rf", "--", ours)):
        told.extend(done.err)
        raise ContainerError(
            f"the image's user cannot be given the repository: {told.decode(errors='replace').strip()[-300:]}",
            "use an image whose user is root",
        )
    return theirs


def _setup(work: Work, container: Container) -> None:
    script, versions = work.effective.setup_script, work.environment.versions
    if not script.strip() and not versions:
        auto = work.effective.plan is not None
        skipped(work.recorder, "setup", "automatic setup found nothing to install" if auto else "no setup script")
        return
    from engine.network.check import PUBLIC
    from engine.tasks.outlet import outlet

    with phase(work.recorder, "setup"):
        script = _versions(work, container) + script
        _tell_plan(work)
        with (
            nothing_left_behind(work, container, "setup"),
            outlet(work, container, "setup", PUBLIC, run=1) as way_out,
        ):
            run_script(
                work,
                container,
                "setup",
                script,
                run=1,
                timeout=work.environment.setup.timeout,
                env={**way_out.variables, **given(work, "setup")},
            )


def _versions(work: Work, container: Container) -> str:
    """The bash that gives the tools the versions the environment wants; empty when they have them.

    Raises:
        PhaseFailed: a version cannot be had in this image.
    """
    wanted, plan = work.environment.versions, work.effective.plan
    asked = plan.asked if plan else ()
    if not wanted and not asked:
        return ""
    from engine.setup.versions import PROBE, found_in, switch

    # Images that have several versions show them to login shells.
    tools = sorted({*wanted, *(one.tool for one in asked)})
    probed = container.bash('exec bash -lc "$1" "$@"', PROBE, *tools).out.decode("utf-8", "replace")
    found = switch(wanted, asked, *found_in(probed))
    for text in found.notices:
        work.recorder.emit(ev.Notice(level="info", text=text))
    if found.refused:
        raise PhaseFailed("setup", "; ".join(found.refused))
    return found.script


def _tell_plan(work: Work) -> None:
    """Journal what automatic setup is going to run (SPEC E4)."""
    plan = work.effective.plan
    for line in plan.lines() if plan else ():
        work.recorder.emit(ev.Notice(level="info", text=f"automatic setup: {line}"))
    for text in plan.notices if plan else ():
        work.recorder.emit(ev.Notice(level="warning", text=f"automatic setup: {text}"))


def _discover(work: Work, container: Container) -> None:
    """Find the package registries the image's clients use, for the presets of this snapshot's tasks (SPEC N3)."""
    from engine.tasks.registries import discover

    for text in discover(container, work.workdir).notices:
        work.recorder.emit(ev.Notice(level="info", text=text))


def _maintained(work: Work) -> Maintained | None:
    """That setup has just done what maintenance would do: all of it is automatic, and the same commands."""
    plan = work.effective.plan
    if plan is None or not plan.watch or work.environment.maintenance.script.strip():
        return None
    return Maintained(time.time(), dict(work.watched_at(work.checkout.default.sha)))


def _commit(work: Work, container: Container, snapshot: Snapshot, *, kept: bool) -> Snapshot:
    if kept:
        return snapshots.store(container, snapshot)
    image = container.commit(f"fumehood/{work.environment.id}", f"task-{work.id}", work.labels("base", 1))
    return replace(snapshot, image=image)
