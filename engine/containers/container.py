"""Containers: created locked down and without a network, used by exec only, removed when done (SPEC N2)."""

from __future__ import annotations

import io
import os
import tarfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import docker

from engine.containers import execution
from engine.containers.endpoint import translated
from engine.errors import ContainerError
from engine.repository.shell import Output

LABEL = "fumehood"
# What root needs to install packages (apt drops to its own user, dpkg sets owners); nothing that reaches the host.
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")
HOSTNAME = "task"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a container may use: CPUs, bytes of memory (no swap beyond), number of processes."""

    cpus: float
    memory: int
    pids: int


@dataclass(frozen=True, slots=True)
class Mount:
    """A host path shown read-only at `target`."""

    source: Path
    target: str


@dataclass(frozen=True, slots=True)
class Spec:
    """What to create from the image with the id `image`, which people know as `image_name`.

    `network` is "none" or "container:ID"; there is no other kind (DESIGN decision 3)."""

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


class Container:
    """A container of ours, by id. All calls may be made from any thread."""

    def __init__(
        self, client: docker.APIClient, container_id: str, image: str = "", image_name: str = "of this container"
    ) -> None:
        self.client = client
        self.id = container_id
        self.image = image
        self.image_name = image_name

    def start(self) -> None:
        """Start it; its only process is the init and a sleep."""
        with translated(f"starting container {self.id[:12]}"):
            self.client.start(self.id)

    def exec(
        self,
        argv: Sequence[str],
        sink: execution.Sink,
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        cwd: str = "",
        user: str = "",
        timeout: float | None = None,
        stop: threading.Event | None = None,
    ) -> execution.Exit:
        """Run `argv`, streaming its output to `sink`; see `execution.run`."""
        return execution.run(
            self.client, self.id, argv, sink, stdin=stdin, env=env, cwd=cwd, user=user, timeout=timeout, stop=stop
        )

    def bash(self, script: str, *arguments: str, stdin: bytes = b"", timeout: float = 600.0) -> Output:
        """Run a bash script of ours and keep its output in memory.

        Raises:
            ContainerError: it did not end within `timeout` seconds, or the image has no bash.
        """
        out, err = bytearray(), bytearray()
        return self._bash({"out": out, "err": err}, script, arguments, stdin, timeout, out, err)

    def bash_to_file(self, path: Path, script: str, *arguments: str, timeout: float = 600.0) -> Output:
        """As `bash`, with standard output written to the file `path` as it comes."""
        err = bytearray()
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
        ended = self.exec(argv, sink, stdin=stdin, timeout=timeout, env={"BASH_ENV": ""})
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
            self.client.put_archive(self.id, "/", spool)

    def get(self, path: str) -> bytes:
        """The content of one file; empty when it is not there. Works before the container is started."""
        try:
            stream, _ = self.client.get_archive(self.id, path)
        except docker.errors.NotFound:
            return b""
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
            member = archive.next()
            file = archive.extractfile(member) if member is not None and member.isreg() else None
            return file.read() if file else b""

    def restart(self) -> None:
        """End every process in it and start it again with its files as they are."""
        with translated(f"restarting container {self.id[:12]}"):
            self.client.restart(self.id, timeout=0)

    def stop(self) -> None:
        """Kill it; its files stay. No error when it is not running."""
        try:
            self.client.kill(self.id)
        except docker.errors.APIError as error:
            if error.status_code not in (404, 409):
                raise ContainerError(f"stopping container {self.id[:12]}: {error.explanation}") from error

    def remove(self) -> None:
        """Kill and remove it with its anonymous volumes; no error when it is gone already."""
        try:
            self.client.remove_container(self.id, v=True, force=True)
        except docker.errors.NotFound:
            return
        except docker.errors.APIError as error:
            # 409: somebody else removes it at this moment.
            if error.status_code != 409:
                raise ContainerError(f"removing container {self.id[:12]}: {error.explanation}") from error

    def inspect(self) -> dict[str, Any]:
        """Docker's record of it; empty when it no longer exists."""
        try:
            record: dict[str, Any] = self.client.inspect_container(self.id)
            return record
        except docker.errors.NotFound:
            return {}

    def commit(self, repository: str, tag: str, labels: Mapping[str, str]) -> str:
        """Store its filesystem as an image with these labels; returns the image id."""
        with translated("storing the snapshot", "is there room on the disk of the container engine?"):
            answer = self.client.commit(self.id, repository, tag, pause=True, conf={"Labels": dict(labels)})
        return str(answer["Id"])


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


def create(client: docker.APIClient, spec: Spec) -> Container:
    """Create (not start) a container: no network, no capabilities but five, no new privileges, bounded.

    The image's own entrypoint and health check never run (SECURITY-CASES B07).

    Raises:
        ContainerError: the image is not there, or docker refuses.
    """
    host_config = client.create_host_config(
        network_mode=spec.network,
        init=True,
        cap_drop=["ALL"],
        cap_add=list(spec.capabilities),
        security_opt=["no-new-privileges"],
        pids_limit=spec.limits.pids,
        mem_limit=spec.limits.memory,
        memswap_limit=spec.limits.memory,
        nano_cpus=int(spec.limits.cpus * 1e9),
        log_config=docker.types.LogConfig(type="none"),
        ulimits=[docker.types.Ulimit(name="core", soft=0, hard=0)],
        binds=[f"{m.source}:{m.target}:ro" for m in spec.mounts],
        # Without its own name in /etc/hosts, every look-up of it waits for a resolver that is not there.
        extra_hosts={HOSTNAME: "127.0.1.1"} if spec.network == "none" else None,
    )
    with translated(f"creating a container of {spec.image_name}"):
        answer = client.create_container(
            image=spec.image,
            name=spec.name,
            hostname=HOSTNAME if spec.network == "none" else None,
            entrypoint=list(spec.command),
            command=[],
            environment=dict(spec.env),
            labels={LABEL: "1", **spec.labels},
            working_dir="/",
            user=spec.user,
            healthcheck={"test": ["NONE"]},
            host_config=host_config,
        )
    return Container(client, answer["Id"], spec.image, spec.image_name)


def labelled(client: docker.APIClient, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Docker's records of all containers, running or not, that carry these labels (value "" = any value)."""
    filters = {"label": [LABEL, *(f"{k}={v}" if v else k for k, v in labels.items())]}
    with translated("listing containers"):
        found: list[dict[str, Any]] = client.containers(all=True, filters=filters)
    return found
