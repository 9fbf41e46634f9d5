"""The base image, made on this machine: Debian from the machine's own apt mirror, no registry needed (SPEC E8).

As root, debootstrap lays the system into a temporary folder and the result is imported. Without root or debootstrap
the same steps run in a build on top of Debian's image of a registry.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.containers import host_apt, images
from engine.containers.api import Api
from engine.containers.base_recipe import BASE_IMAGE, BASE_LABEL, BASE_SUITE, PATH, Recipe, recipe, recipe_hash
from engine.containers.endpoint import connect, sdk, translated
from engine.errors import ContainerError
from engine.state import cache_dir, locked, private_dir, state_dir

if TYPE_CHECKING:
    import docker

__all__ = ["BASE_IMAGE", "BASE_SUITE", "bootstrap", "current_image", "recipe_hash"]

# The cache of packages, the names and the resolver of this machine are seen only inside this mount namespace.
_ENTER = """\
set -eu
rm -f "$1"/var/cache/apt/archives/*.deb
mount --bind "$2" "$1/var/cache/apt/archives"
mount -t proc proc "$1/proc"
for file in hosts resolv.conf; do
    rm -f "$1/etc/$file"; touch "$1/etc/$file"; mount --bind "/etc/$file" "$1/etc/$file"
done
exec chroot "$1" /bin/sh -c "$3"
"""
# Mounts and processes of a build live in namespaces that end with it, however it ends.
_PRIVATE = ("unshare", "--mount", "--pid", "--fork", "--kill-child")

Progress = Callable[[str], None]


def current_image(
    *, suite: str | None = None, tag: str | None = None, extra_packages: Sequence[str] = ()
) -> str | None:
    """The id of the base image when it is there and made by today's recipe; None when it is to be made.

    Raises:
        DockerUnavailable: no container engine answers.
    """
    wanted = recipe(suite, extra_packages)
    return _current(connect(), tag or wanted.tag, wanted.hash())


def _current(api: Api, tag: str, recipe_hash: str) -> str | None:
    image = images.find(api, tag)
    if image is None:
        return None
    with translated(f"reading image {tag}"):
        labels = api.image(image)["Config"].get("Labels") or {}
    return image if labels.get(BASE_LABEL) == recipe_hash else None


def bootstrap(
    progress: Progress, *, suite: str | None = None, tag: str | None = None, extra_packages: Sequence[str] = ()
) -> str:
    """Make the base image and return its id; about two minutes the first time, packages are kept for the next.

    Args:
        progress: gets one line whenever something new happens, every few seconds at most.
        suite: Debian's release; `BASE_SUITE` when not given.
        tag: the image's name; `fumehood/base:SUITE`, followed by extra packages, when not given.
        extra_packages: Debian packages to install besides `PACKAGES`.

    Raises:
        DockerUnavailable: no container engine answers.
        ContainerError: a step failed; the message holds the last lines of its output.
        UsageError: see `recipe`.
    """
    wanted = recipe(suite, extra_packages)
    tag = tag or wanted.tag
    api, client = connect(), sdk(timeout=900)
    waited = False

    def waiting() -> None:
        nonlocal waited
        if not waited:
            progress("another process is making a base image; waiting for it")
        waited = True

    with locked(state_dir() / "locks" / "base-image.lock", waiting):
        if waited and (made := _current(api, tag, wanted.hash())):
            return made
        before = images.find(api, tag)
        began = time.monotonic()
        if os.geteuid() == 0 and shutil.which("debootstrap"):
            image = _from_mirror(client, wanted, tag, progress)
        else:
            image = _from_registry(client, wanted, tag, progress)
        if before and before != image:
            images.remove(api, before)
    progress(f"{tag} is ready ({time.monotonic() - began:.0f} s)")
    return image


def _from_mirror(client: docker.APIClient, wanted: Recipe, tag: str, progress: Progress) -> str:
    packages = private_dir(cache_dir() / "debootstrap")
    with _temporary_root() as root:
        progress(f"Debian {wanted.suite}: minimal system from {wanted.mirror or 'the default mirror'}")
        minimal = ["debootstrap", "--variant=minbase", "--include=ca-certificates", f"--cache-dir={packages}"]
        _run([*_PRIVATE, *minimal, wanted.suite, str(root), *filter(None, [wanted.mirror])], "debootstrap", progress)
        _write(root, wanted.files())
        progress(f"Debian {wanted.suite}: {', '.join(wanted.packages)}")
        enter = ["sh", "-c", _ENTER, "sh", str(root), str(packages), wanted.script()]
        _run([*_PRIVATE, *enter], "installing packages", progress)
        return _import(client, root, tag, wanted.changes(), progress)


@contextmanager
def _temporary_root() -> Iterator[Path]:
    """A folder for the new system, gone afterwards; not below /tmp, which may be small or `nodev`."""
    folder = Path(tempfile.mkdtemp(prefix="fumehood-base-", dir=os.environ.get("TMPDIR") or "/var/tmp"))
    root = folder / "root"
    try:
        root.mkdir()
        root.chmod(0o755)
        yield root
    finally:
        _refuse_mounts_below(folder)
        shutil.rmtree(folder)


def _refuse_mounts_below(folder: Path) -> None:
    """Never remove a folder through which something of this machine can be seen."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    if below := [mount for mount in mounts if mount.startswith(f"{folder}/")]:
        raise ContainerError(f"{below[0]} is still mounted", f"unmount it (`umount {below[0]}`), then remove {folder}")


def _write(root: Path, files: Mapping[str, str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o755 if content.startswith("#!") else 0o644)


def _tool_environment() -> dict[str, str]:
    names = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE")
    inherited = {name: os.environ[name] for name in names if name in os.environ}
    return {"PATH": PATH, "HOME": "/root", "LC_ALL": "C.UTF-8", **host_apt.proxy_environment(), **inherited}


def _run(command: Sequence[str], what: str, progress: Progress) -> None:
    """Run a tool to its end; its output is passed on a line every five seconds, and shown when it fails."""
    tail: deque[str] = deque(maxlen=25)
    shown = time.monotonic()
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_tool_environment(),
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise ContainerError(f"{what}: {command[0]} is not installed", f"`apt-get install {command[0]}`") from error
    with process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                tail.append("".join(c for c in line.rstrip() if c.isprintable())[:300])
                if time.monotonic() - shown >= 5:
                    shown = time.monotonic()
                    progress(f"  {tail[-1]}")
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise ContainerError(
            f"{what} failed with exit code {process.returncode}:\n  " + "\n  ".join(tail),
            "see whether apt works on this machine: `apt-get update`",
        )


def _import(client: docker.APIClient, root: Path, tag: str, changes: Sequence[str], progress: Progress) -> str:
    ours = ("dev", "proc", "sys", "run", "tmp")
    excluded = [f"--exclude=./{name}/*" for name in ours] + [f"--exclude=./etc/{n}" for n in ("hosts", "resolv.conf")]
    pack = ["tar", "-C", str(root), "--one-file-system", "--numeric-owner", "--sort=name", *excluded, "-c", "."]
    repository, _, version = tag.rpartition(":")
    with (
        subprocess.Popen(pack, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process,
        translated(f"importing {tag}"),
    ):
        answer = client.import_image_from_stream(
            _chunks(process, progress), repository=repository, tag=version, changes=list(changes)
        )
    for line in str(answer).splitlines():
        message = json.loads(line)
        if "error" in message:
            raise ContainerError(f"importing {tag}: {message['error']}", "see whether the disk is full")
        if str(message.get("status", "")).startswith("sha256:"):
            return str(message["status"])
    raise ContainerError(f"importing {tag}: the container engine named no image", "see the engine's log")


def _chunks(process: subprocess.Popen[bytes], progress: Progress) -> Iterator[bytes]:
    """The archive in pieces; a failing tar breaks the transfer, so that no half system becomes an image."""
    assert process.stdout is not None
    size = 0
    while chunk := process.stdout.read(1 << 20):
        size += len(chunk)
        yield chunk
    if process.wait() != 0:
        raise ContainerError(f"packing the new system failed (tar, exit code {process.returncode})")
    progress(f"importing {size / 1e6:.0f} MB")


def _from_registry(client: docker.APIClient, wanted: Recipe, tag: str, progress: Progress) -> str:
    source = f"debian:{wanted.suite}-slim"
    progress(f"no root or no debootstrap: building on {source}")
    run = json.dumps(["/bin/sh", "-c", wanted.script()])
    dockerfile = [f"FROM {source}", "COPY root/ /", f"RUN {run}", *wanted.changes()]
    hint = "without a registry: as root, `apt-get install debootstrap`, then `fumehood image bootstrap`"
    shown = time.monotonic()
    with translated(f"building {tag}", hint):
        for line in client.build(
            fileobj=_context("\n".join(dockerfile), wanted.files()),
            custom_context=True,
            tag=tag,
            network_mode="host",
            rm=True,
            forcerm=True,
            decode=True,
        ):
            if "error" in line:
                raise ContainerError(f"building {tag}: {line['error']}", hint)
            text = str(line.get("stream", "")).strip()
            if text and time.monotonic() - shown >= 5:
                shown = time.monotonic()
                progress("  " + "".join(c for c in text.splitlines()[-1] if c.isprintable())[:300])
    image = images.find(connect(), tag)
    if image is None:
        raise ContainerError(f"{tag} was built but is not there", hint)
    return image


def _context(dockerfile: str, files: Mapping[str, str]) -> io.BytesIO:
    """A build context: the Dockerfile, and below `root/` what is copied into the image."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in {
            "Dockerfile": dockerfile,
            **{f"root/{name}": text for name, text in files.items()},
        }.items():
            member = tarfile.TarInfo(name)
            member.size = len(content.encode())
            member.mode = 0o755 if content.startswith("#!") else 0o644
            tar.addfile(member, io.BytesIO(content.encode()))
    archive.seek(0)
    return archive
