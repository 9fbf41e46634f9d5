"""Containers: created locked down and without a network, used by exec only, removed when done (SPEC N2)."""

from __future__ import annotations

import io
import os
import re
import shlex
import tarfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, SupportsIndex

from msgspec import Struct, field

from engine.containers import execution
from engine.containers.api import Api, Record, Refused
from engine.containers.endpoint import translated
from engine.errors import Cancelled, ContainerError
from engine.repository.shell import Output

LABEL = "fumehood"
# What root needs to install packages (apt drops to its own user, dpkg sets owners); nothing that reaches the host.
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")
HOSTNAME = "task"
# What an image says that was made of a container of ours; images made on top of it do not say it.
COMMENT = "fumehood snapshot"


class Limits(Struct, frozen=True):
    """What a container may use: CPUs, bytes of memory (no swap beyond), number of processes."""

    cpus: float
    memory: int
    pids: int


class Mount(Struct, frozen=True):
    """A host path shown read-only at `target`."""

    source: Path
    target: str


class Spec(Struct, frozen=True):
    """What to create from the image with the id `image`, which people know as `image_name`.

    `network` is "none" or "container:ID"; there is no other kind (DESIGN decision 3). One that `boots` waits for the
    script of a `Boot`, others run `command`.
    """

    image: str
    name: str
    image_name: str
    labels: Mapping[str, str]
    limits: Limits
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: Sequence[Mount] = ()
    network: str = "none"
    command: Sequence[str] = ("sleep", "infinity")
    user: str = ""
    capabilities: Sequence[str] = CAPABILITIES
    boots: bool = False


# The first process of a container that boots: runs each script that a `Boot` sends it, the last one keeps it alive.
_IDLE = "exec sleep infinity </dev/null &>/dev/null"
_LOOP = f'while IFS= read -r -d "" script; do eval "$script"; done; {_IDLE}'
_BOOT = ("env", "-u", "BASH_ENV", "bash", "-c", _LOOP)


_MOST_PRINTED = 16 << 20
_MOST_READ = 64 << 20
_DYING_SECONDS = 3.0


class _Printed(bytearray):
    """What a script of ours prints. An agent may have put a program of its own in the place of one that it runs."""

    def extend(self, data: Iterable[SupportsIndex]) -> None:
        super().extend(data)
        if len(self) > _MOST_PRINTED:
            raise ContainerError(f"a step in the container printed more than {_MOST_PRINTED >> 20} MiB")


class Container:
    """A container of ours, by id. All calls may be made from any thread.

    Args:
        given_up: once it is set, our own scripts in the container end, and raise Cancelled.

    Attributes:
        last_written: what `written` found the last time it was asked, in bytes; None before.
    """

    def __init__(
        self,
        api: Api,
        container_id: str,
        image: str = "",
        image_name: str = "of this container",
        given_up: execution.Flag | None = None,
    ) -> None:
        self.api = api
        self.id = container_id
        self.image = image
        self.image_name = image_name
        self._given_up = given_up
        self.last_written: int | None = None

    def start(self) -> None:
        """Start it; its only process is the init and a sleep."""
        with translated(f"starting container {self.id[:12]}"):
            self.api.start(self.id)

    def exec(
        self,
        argv: Sequence[str],
        sink: execution.Sink,
        *,
        stdin: bytes | int = b"",
        env: Mapping[str, str] | None = None,
        cwd: str = "",
        user: str = "",
        timeout: float | None = None,
        stop: execution.Flag | None = None,
    ) -> execution.Exit:
        """Run `argv`, streaming its output to `sink`; see `execution.run`."""
        return execution.run(
            self.api, self.id, argv, sink, stdin=stdin, env=env, cwd=cwd, user=user, timeout=timeout, stop=stop
        )

    def bash(self, script: str, *arguments: str, stdin: bytes = b"", timeout: float = 600.0) -> Output:
        """Run a bash script of ours and keep its output in memory.

        Raises:
            ContainerError: it did not end within `timeout` seconds, printed more than 16 MiB, or the image has no bash.
            Cancelled: the work in the container was given up.
        """
        out, err = _Printed(), _Printed()
        return self._bash({"out": out, "err": err}, script, arguments, stdin, timeout, out, err)

    def bash_to_file(self, path: Path, script: str, *arguments: str, timeout: float = 600.0) -> Output:
        """As `bash`, with standard output written to the file `path` as it comes."""
        err = _Printed()
        with path.open("wb") as file:
            return self._bash({"out": _Writer(file), "err": err}, script, arguments, b"", timeout, b"", err)

    def _bash(
        self,
        targets: Mapping[str, Any],
        script: str,
        arguments: Sequence[str],
        stdin: bytes,
        timeout: float,
        out: bytes | bytearray,
        err: bytearray,
    ) -> Output:
        def sink(stream: execution.StreamName, data: bytes) -> None:
            targets[stream].extend(data)

        argv = ("bash", "-c", script, "fumehood", *arguments)
        ended = self.exec(argv, sink, stdin=stdin, timeout=timeout, env={"BASH_ENV": ""}, stop=self._given_up)
        if ended.stopped:
            raise Cancelled("the work in the container was given up")
        if ended.code is None:
            raise ContainerError(f"a step in container {self.id[:12]} did not end within {timeout:g} s")
        if ended.code in (126, 127) and b"executable file not found" in bytes(out) + bytes(err):
            raise ContainerError(
                f"image {self.image_name} has no bash",
                "use an image with bash and git, or make one with `fumehood image bootstrap`",
            )
        return Output(ended.code, bytes(out), bytes(err))

    def put(self, path: str, data: Path | bytes, mode: int = 0o644) -> None:
        """Write one file, making the folders above it; sent as a plain tar (SECURITY-CASES G12)."""
        self.put_all({path: (data, mode)})

    def put_all(self, files: Mapping[str, tuple[Path | bytes, int]]) -> None:
        """Write several files in one call: absolute path -> content and mode; a path that ends in / is a folder."""
        spool = tarfile_of(files)
        with translated(f"writing {', '.join(files)} into container {self.id[:12]}"), spool:
            self.api.put_archive(self.id, "/", spool)

    def get(self, path: str) -> bytes:
        """The content of one file; empty when it is not there. Works before the container is started.

        Raises:
            ContainerError: it is larger than 64 MiB, or cannot be read.
        """
        try:
            with translated(f"reading {path} of container {self.id[:12]}"):
                data = self.api.get_archive(self.id, path, _MOST_READ)
        except ContainerError as error:
            if isinstance(error.__cause__, Refused) and error.__cause__.status == 404:
                return b""
            raise
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            member = archive.next()
            file = archive.extractfile(member) if member is not None and member.isreg() else None
            return file.read() if file else b""

    def rename(self, name: str) -> None:
        """Give it another name.

        Raises:
            ContainerError: it is gone, or a container, this one or another, has that name.
        """
        with translated(f"renaming container {self.id[:12]}"):
            self.api.rename(self.id, name)

    def restart(self) -> None:
        """End every process in it and start it again with its files as they are."""
        with translated(f"restarting container {self.id[:12]}"):
            self.api.restart(self.id)

    def stop(self) -> None:
        """Kill it; its files stay. No error when it is not running."""
        with translated(f"stopping container {self.id[:12]}"), _tolerated(404, 409):
            self.api.kill(self.id)

    def remove(self) -> None:
        """Kill and remove it with its anonymous volumes; no error when it is gone, or somebody else removes it."""
        with translated(f"removing container {self.id[:12]}"), _tolerated(404, 409):
            self.api.remove(self.id)

    def commit(self, repository: str, tag: str, labels: Mapping[str, str]) -> str:
        """Store its filesystem as an image with these labels; returns the image id."""
        from engine.containers.disk import HINT

        with translated("storing the snapshot", HINT):
            return self.api.commit(self.id, repository, tag, labels, COMMENT)

    def status(self) -> str:
        """What docker says of it, such as `running`, `exited` or `removing`; `removed` when it is gone."""
        try:
            with translated(f"looking at container {self.id[:12]}"):
                return str(self.api.inspect(self.id)["State"]["Status"])
        except ContainerError as error:
            if isinstance(error.__cause__, Refused) and error.__cause__.status == 404:
                return "removed"
            raise

    def settled(self) -> str:
        """As `status`, of a container that may be about to die: its processes end before docker says so."""
        deadline = time.monotonic() + _DYING_SECONDS
        while (status := self.status()) == "running" and time.monotonic() < deadline:
            # Where no process can be started it is dying, or full: docker's next answer tells.
            with suppress(ContainerError):
                if self.bash(":", timeout=_DYING_SECONDS).exit_code == 0:
                    break
            time.sleep(0.05)
        return status

    def written(self) -> int:
        """Bytes it has written beyond its image, holes as if filled; the engine walks all its files for it."""
        with translated(f"measuring container {self.id[:12]}"):
            self.last_written = int(self.api.inspect(self.id, size=True).get("SizeRw") or 0)
        return self.last_written


@contextmanager
def _tolerated(*statuses: int) -> Iterator[None]:
    """Pass over these answers of the engine: what was asked for is so already."""
    try:
        yield
    except Refused as error:
        if error.status not in statuses:
            raise


class Boot:
    """A container's own first process, given one script: it runs 50 ms sooner than an exec could.

    Made before the container is started, or while it waits for another script; `bash` may be called once, when it runs.

    Args:
        last: no other script will come.
    """

    def __init__(self, container: Container, *, last: bool = True) -> None:
        self._container = container
        self._last = last
        with translated(f"attaching to container {container.id[:12]}"):
            self._stream = container.api.attach(container.id)

    def bash(self, script: str, *arguments: str, stdin: bytes = b"", timeout: float = 600.0) -> Output:
        """As `Container.bash`; the script has no standard input."""
        assert not stdin
        mark = f"fumehood {os.urandom(8).hex()} "
        out: bytearray = _Printed()
        err: bytearray = _Printed()
        text = f"set -- {shlex.join(arguments)}\n(\n{script}\n) </dev/null\nprintf '\n%s%d\n' '{mark}' $?\n"
        text += f"{_IDLE}\0" if self._last else "\0"
        sign = b"\n" + mark.encode()

        def sink(stream: execution.StreamName, data: bytes) -> None:
            (out if stream == "out" else err).extend(data)

        def ended() -> bool:
            return out.rpartition(sign)[2].endswith(b"\n") and sign in out

        deadline = time.monotonic() + timeout
        with translated(f"preparing container {self._container.id[:12]}"), closing(self._stream):
            stdin = text.encode("utf-8", "surrogateescape")
            execution.pump(self._stream, stdin, sink, deadline=deadline, until=ended, close_stdin=False)
        if not ended():
            told = bytes(err or out).decode("utf-8", "replace").strip()[-500:]
            raise ContainerError(f"container {self._container.id[:12]} did not come up: {told or 'no answer'}")
        printed, _, code = bytes(out).rpartition(sign)
        return Output(int(code), printed, bytes(err))

    def put(self, path: str, data: Path | bytes, mode: int = 0o644) -> None:
        """As `Container.put`."""
        self._container.put(path, data, mode)


class _Writer:
    """Gives a file the one method of a bytearray that output collectors use."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def extend(self, data: bytes) -> None:
        self._file.write(data)


def tarfile_of(files: Mapping[str, tuple[Path | bytes, int]]) -> IO[bytes]:
    """An uncompressed tar of `files`, owned by root, rewound; on disk when it is large."""
    import tempfile

    spool = tempfile.SpooledTemporaryFile(max_size=8 << 20)  # noqa: SIM115 - the caller closes it
    with tarfile.open(fileobj=spool, mode="w|") as archive:
        for path, (data, mode) in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.mode = mode
            if path.endswith("/"):
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)
            elif isinstance(data, bytes):
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
            else:
                with data.open("rb") as source:
                    entry.size = os.fstat(source.fileno()).st_size
                    archive.addfile(entry, source)
    spool.seek(0)
    return spool


def create(api: Api, spec: Spec, given_up: execution.Flag | None = None) -> Container:
    """Create (not start) a container: no network, no capabilities but five, no new privileges, bounded.

    The image's own entrypoint and health check never run (SECURITY-CASES B07). For `given_up` see `Container`.

    Raises:
        ContainerError: the image is not there, or docker refuses.
    """
    host_config: Record = {
        "NetworkMode": spec.network,
        "Init": True,
        "CapDrop": ["ALL"],
        "CapAdd": list(spec.capabilities),
        "SecurityOpt": ["no-new-privileges"],
        "PidsLimit": spec.limits.pids,
        "Memory": spec.limits.memory,
        "MemorySwap": spec.limits.memory,
        "NanoCpus": int(spec.limits.cpus * 1e9),
        "LogConfig": {"Type": "none", "Config": {}},
        "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
        "Binds": [f"{mount.source}:{mount.target}:ro" for mount in spec.mounts],
    }
    config: Record = {
        "Image": spec.image,
        "Entrypoint": list(_BOOT if spec.boots else spec.command),
        **dict.fromkeys(("OpenStdin", "AttachStdin", "AttachStdout", "AttachStderr"), spec.boots),
        "Cmd": [],
        "Env": [f"{name}={value}" for name, value in spec.env.items()],
        "Labels": {LABEL: "1", **spec.labels},
        "WorkingDir": "/",
        "User": spec.user,
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": host_config,
    }
    if spec.network == "none":
        # Without its own name in /etc/hosts, every look-up of it waits for a resolver that is not there.
        config["Hostname"] = HOSTNAME
        host_config["ExtraHosts"] = [f"{HOSTNAME}:127.0.1.1"]
    with translated(f"creating a container of {spec.image_name}"):
        return Container(api, api.create(spec.name, config), spec.image, spec.image_name, given_up)


def name_for(task: str, role: str, run: int = 1) -> str:
    """The name of a container of a task; `of_task` and `task_of` read it."""
    return f"{LABEL}-{task}-{role}-{run}"


def of_task(api: Api, task: str) -> list[Record]:
    """Docker's records of the containers of a task, running or not, also of one that was made before the task."""
    with translated("listing containers"):
        return api.containers([LABEL], f"^/{LABEL}-{task}-")


def task_of(record: Record) -> str:
    """The task a container belongs to; empty when it belongs to none."""
    found = _named(record)
    return found[1] if found else ""


def role_of(record: Record) -> tuple[str, int]:
    """What a container of a task is there for, and in which attempt."""
    found = _named(record)
    return (found[2], int(found[3])) if found else ("", 0)


def _named(record: Record) -> re.Match[str] | None:
    return re.fullmatch(rf"/{LABEL}-([a-z0-9]{{6}})-([a-z]+)-([0-9]+)", record["Names"][0]) if record["Names"] else None


def labelled(api: Api, labels: Mapping[str, str]) -> list[Record]:
    """Docker's records of our containers, running or not, that carry these labels (value "" = any value).

    Ours have names of ours, too: what a user makes from a snapshot has its labels, and is the user's.
    """
    with translated("listing containers"):
        return api.containers([LABEL, *(f"{k}={v}" if v else k for k, v in labels.items())], f"^/{LABEL}-")
