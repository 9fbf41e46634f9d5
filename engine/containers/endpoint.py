"""Finding the container engine: DOCKER_HOST, docker's context, the default socket, rootless sockets (SPEC M1)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
import requests
from docker import errors as docker_errors

from engine.errors import ContainerError, DockerUnavailable


@dataclass(frozen=True, slots=True)
class Endpoint:
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
    from docker.context import ContextAPI

    context = ContextAPI.get_context(name)
    if context is None:
        raise DockerUnavailable(f"docker context {name!r} does not exist", "choose one with `docker context use`")
    return str(context.Host)


def connect(timeout: int = 120) -> docker.APIClient:
    """A client of the first engine that answers.

    Args:
        timeout: seconds that one call may take without a byte of answer.

    Raises:
        DockerUnavailable: none answers; the message names each endpoint tried and why it failed.
    """
    tried = []
    for endpoint in candidates():
        try:
            return docker.APIClient(
                base_url=endpoint.url,
                version="auto",
                timeout=timeout,
                use_ssh_client=endpoint.url.startswith("ssh://"),
                tls=_tls(endpoint),
            )
        except (docker_errors.DockerException, requests.exceptions.RequestException) as error:
            tried.append(f"{endpoint.url} ({endpoint.origin}): {_reason(error)}")
    if not tried:
        raise DockerUnavailable(
            "no container engine found: no DOCKER_HOST, no docker context, no docker socket",
            "install one (Debian: `apt-get install docker.io`) and start it, or set DOCKER_HOST",
        )
    raise DockerUnavailable(
        "no container engine answers: " + "; ".join(tried),
        "start it (`systemctl start docker`, or `dockerd` as root), or give your user access (group docker)",
    )


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What answers at an endpoint: its name and versions, where it is, how it stores images."""

    name: str
    version: str
    url: str
    storage: str
    runtime: str


def describe(client: docker.APIClient) -> EngineInfo:
    """Ask the engine what it is."""
    with translated("asking the container engine what it is"):
        version, info = client.version(), client.info()
    parts = {part["Name"]: part["Version"] for part in version.get("Components") or ()}
    name = "podman" if "Podman Engine" in parts else "docker"
    storage = f"{info.get('Driver', 'unknown')} storage"
    return EngineInfo(name, version.get("Version", "?"), client.base_url, storage, parts.get("runc", ""))


def _tls(endpoint: Endpoint) -> docker.tls.TLSConfig | bool:
    if endpoint.origin != "DOCKER_HOST" or not os.environ.get("DOCKER_TLS_VERIFY"):
        return False
    from docker.utils import kwargs_from_env

    tls: docker.tls.TLSConfig | bool = kwargs_from_env().get("tls", False)
    return tls


def _reason(error: Exception) -> str:
    text = str(error)
    for known in ("Permission denied", "Connection refused", "No such file or directory", "timed out"):
        if known in text:
            return known.lower()
    return text.splitlines()[0][:200] if text else type(error).__name__


@contextmanager
def translated(action: str, hint: str = "") -> Iterator[None]:
    """Turn docker's errors inside the block into a ContainerError that says which `action` failed."""
    try:
        yield
    except docker_errors.APIError as error:
        raise ContainerError(f"{action}: {error.explanation or error}".strip(), hint) from error
    except docker_errors.DockerException as error:
        raise ContainerError(f"{action}: {error}", hint) from error
    except (requests.exceptions.RequestException, OSError) as error:
        raise ContainerError(
            f"{action}: the container engine went away ({_reason(error)})", "see whether dockerd is running"
        ) from error
