"""Finding the container engine: DOCKER_HOST, docker's context, the default socket, rootless sockets (SPEC M1)."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.containers.api import Api, Refused
from engine.errors import ContainerError, DockerUnavailable, Lost, NoRoom
from engine.state import is_full

if TYPE_CHECKING:
    import docker


class Endpoint(Struct, frozen=True):
    """An address of a container engine and where it was found."""

    url: str
    origin: str


def candidates() -> list[Endpoint]:
    """The endpoints to try, in docker's own order; a named one (DOCKER_HOST, context) is the only one tried."""
    if host := os.environ.get("DOCKER_HOST"):
        return [Endpoint(host, "DOCKER_HOST")]
    if url := _context_url():
        return [Endpoint(url, "docker context")]
    runtime = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    sockets = [
        (Path("/var/run/docker.sock"), "default socket"),
        (Path(runtime) / "docker.sock", "rootless docker"),
        (Path.home() / ".docker/run/docker.sock", "docker desktop"),
        (Path(runtime) / "podman/podman.sock", "rootless podman"),
    ]
    return [Endpoint(f"unix://{path}", origin) for path, origin in sockets if path.exists()]


def _context_url() -> str:
    """The endpoint of docker's current context; empty for the context named default."""
    folder = Path(os.environ.get("DOCKER_CONFIG", "") or Path.home() / ".docker")
    name = os.environ.get("DOCKER_CONTEXT", "")
    if not name:
        try:
            name = json.loads((folder / "config.json").read_text()).get("currentContext", "")
        except (OSError, ValueError, AttributeError):
            return ""
    if not name or name == "default":
        return ""
    meta = folder / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
    try:
        return str(json.loads(meta.read_text())["Endpoints"]["docker"]["Host"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DockerUnavailable(
            f"docker context {name!r} does not exist or is damaged", "choose one with `docker context use`"
        ) from error


def connect(timeout: float = 120.0) -> Api:
    """The first engine that can be reached.

    Args:
        timeout: seconds that one call may take without a byte of answer.

    Raises:
        DockerUnavailable: none can be; the message names each endpoint tried and why it failed.
    """
    return Api(_address(_reachable()), timeout)


def sdk(timeout: int = 120) -> docker.APIClient:
    """The docker SDK's client of the same engine, for pulling, building and importing images.

    Raises:
        DockerUnavailable: as `connect`.
    """
    import docker

    endpoint = _reachable()
    with translated(f"connecting to {endpoint.url}"):
        return docker.APIClient(base_url=endpoint.url, version="auto", timeout=timeout)


def pull_credentials(image: str) -> str:
    """What docker's own configuration holds for the registry of `image`, as X-Registry-Auth takes it; may be empty."""
    from docker import auth

    with translated(f"reading docker's credentials for {image}"):
        registry, _ = auth.resolve_repository_name(image)
        header: bytes | None = auth.get_config_header(sdk(), registry)
    return (header or b"").decode()


def build_credentials() -> str:
    """What docker's own configuration holds for all registries, as X-Registry-Config takes it; may be empty."""
    from docker import auth

    with translated("reading docker's credentials"):
        found = auth.load_config().get_all_credentials()
    return bytes(auth.encode_header(found)).decode() if found else ""


def _reachable() -> Endpoint:
    tried = []
    for endpoint in candidates():
        try:
            Api(_address(endpoint))._connect().close()
        except OSError as error:
            tried.append(f"{endpoint.url} ({endpoint.origin}): {_reason(error)}")
        else:
            return endpoint
    if not tried:
        raise DockerUnavailable(
            "no container engine found: no DOCKER_HOST, no docker context, no docker socket",
            "install one (Debian: `apt-get install docker.io`) and start it, or set DOCKER_HOST",
        )
    raise DockerUnavailable(
        "no container engine answers: " + "; ".join(tried),
        "start it (`systemctl start docker`, or `dockerd` as root), or give your user access (group docker)",
    )


def _address(endpoint: Endpoint) -> str | tuple[str, int]:
    scheme, _, rest = endpoint.url.partition("://")
    if scheme == "unix" and rest.startswith("/"):
        return rest
    host, colon, port = rest.rpartition(":")
    if scheme == "tcp" and colon and port.isdigit() and not os.environ.get("DOCKER_TLS_VERIFY"):
        return host, int(port)
    raise DockerUnavailable(
        f"the container engine at {endpoint.url} ({endpoint.origin}) cannot be used",
        "the gateway is a socket of this machine: name an engine that runs here, unix:///path/to.sock",
    )


class EngineInfo(Struct, frozen=True):
    """What answers at an endpoint: its name and versions, where it is, how it stores images."""

    name: str
    version: str
    url: str
    storage: str
    runtime: str


def describe() -> EngineInfo:
    """Ask the engine what it is.

    Raises:
        ContainerError: it does not answer.
    """
    endpoint = _reachable()
    api = Api(_address(endpoint))
    with translated("asking the container engine what it is"):
        version, info = api.version(), api.info()
    parts = {part["Name"]: part["Version"] for part in version.get("Components") or ()}
    name = "podman" if "Podman Engine" in parts else "docker"
    storage = f"{info.get('Driver', 'unknown')} storage"
    return EngineInfo(name, version.get("Version", "?"), endpoint.url, storage, parts.get("runc", ""))


def _reason(error: OSError) -> str:
    return (error.strerror or str(error) or type(error).__name__).lower()


@contextmanager
def translated(action: str, hint: str = "") -> Iterator[None]:
    """Turn the engine's errors inside the block into a ContainerError that says which `action` failed."""
    try:
        yield
    except Refused as error:
        raise ContainerError(f"{action}: {error.message}", hint) from error
    except OSError as error:
        if is_full(error):
            raise NoRoom(f"{action}: {error.strerror}") from error
        raise Lost(
            f"{action}: the container engine went away ({_reason(error)})", "see whether dockerd is running"
        ) from error
    except Exception as error:
        # The SDK's own, named here without importing it.
        if type(error).__module__.partition(".")[0] not in ("docker", "requests", "urllib3"):
            raise
        text = getattr(error, "explanation", None) or str(error)
        raise ContainerError(f"{action}: {text}".strip(), hint) from error
