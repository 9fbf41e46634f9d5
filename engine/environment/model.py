"""The environment (SPEC E1): every key of the file, what it means and what holds when it is left out.

Durations are in seconds, sizes in bytes.
"""

# ruff: noqa: RUF009 - `key` makes a dataclass field

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from engine.environment import repository_url
from engine.environment import values as v
from engine.environment.kinds import ListOf, MapOf, TableOf, key

DEFAULT_IMAGE = "fumehood/base:bookworm"
FILE_NAME = "fumehood.toml"
FOLDER_NAME = ".fumehood"
TOOLS = ("python", "node", "ruby", "rust", "go", "swift", "php", "java", "bun")
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
AGENTS = ("replay", "command", "codex", "loop", "claude", "acp")


@dataclass(frozen=True, slots=True)
class Repository:
    """Which repository a task works on; after loading, a local `url` is an absolute path."""

    url: str = key(
        repository_url.URL,
        "Local path (relative to this file), https or ssh address of the repository.",
        default=".",
        example="https://github.com/pallets/click",
    )
    default_branch: str = key(
        v.BRANCH, "Branch a snapshot is built from; without it, the one HEAD of the repository names.", example="main"
    )

    @property
    def path(self) -> Path | None:
        """The local path, or None for a remote repository."""
        return None if repository_url.is_remote(self.url) else Path(self.url)


@dataclass(frozen=True, slots=True)
class Image:
    """The image containers are made of: `build`, when not empty, else `name`."""

    name: str = key(v.IMAGE, "Image to use: Debian or Ubuntu-like, with bash and git.", default=DEFAULT_IMAGE)
    build: str = key(v.FILE, "Dockerfile to build the image from, in place of a name.", example="Dockerfile")

    @property
    def title(self) -> str:
        """What people know it as."""
        return self.build or self.name


@dataclass(frozen=True, slots=True)
class Setup:
    """What prepares a snapshot (SPEC E4, E5)."""

    auto: bool = key(v.BOOLEAN, "Find the package managers of the repository and run them.", default=False)
    script: str = key(
        v.SCRIPT, "Bash script that installs what the project needs; has internet and secrets.", example="npm ci\n"
    )
    timeout: int = key(v.duration("1s", "24h"), "Time the whole setup may take.", default="30m")


@dataclass(frozen=True, slots=True)
class Maintenance:
    """What brings a snapshot up to date for a task (SPEC T2, C6)."""

    script: str = key(v.SCRIPT, "Bash script that runs when a task resumes from a snapshot.", example="npm ci\n")
    watch: tuple[str, ...] = key(
        ListOf(v.PATTERN),
        "Files the script depends on; while they are unchanged it is skipped.",
        example=["requirements*.txt", "package-lock.json"],
    )
    timeout: int = key(v.duration("1s", "24h"), "Time the script may take.", default="10m")
    on_failure: Literal["fail", "continue"] = key(
        v.choice("fail", "continue"), "What a failure of the script means for the task.", default="fail"
    )


@dataclass(frozen=True, slots=True)
class Start:
    """Services that run beside the agent, started on every resume."""

    script: str = key(v.SCRIPT, "Bash script that starts services.", example="redis-server --daemonize yes\n")
    ready: str = key(
        v.SCRIPT, "Command that succeeds once the services answer.", example="curl -fs localhost:8000/health"
    )
    timeout: int = key(v.duration("1s", "1h"), "Time the services have to become ready.", default="60s")


@dataclass(frozen=True, slots=True)
class Secret:
    """A declared secret; its value is kept elsewhere, encrypted (SPEC S1)."""

    maintenance: bool = key(v.BOOLEAN, "Give it to the maintenance script too.", default=False)
    accept: tuple[str, ...] = key(
        ListOf(v.LINE),
        "Files in which setup may leave the value, although agents can read them there.",
        example=["/root/.npmrc"],
    )
    hosts: tuple[str, ...] = key(
        ListOf(v.LINE), "Hosts to whose requests the gateway adds it (network secret).", example=["api.example.com"]
    )
    header: str = key(v.HEADER, "HTTP header the gateway puts it into.", example="Authorization")


@dataclass(frozen=True, slots=True)
class Network:
    """What the agent may reach (SPEC N1, N3); entries are kept as written, the policy gives them meaning."""

    agent: Literal["off", "limited", "full"] = key(
        v.choice("off", "limited", "full"), "Internet of the agent: none, the allowed hosts, or all.", default="off"
    )
    allow: tuple[str, ...] = key(
        ListOf(v.LINE),
        "Domains and presets a limited agent may reach.",
        example=["preset:common-dependencies", "*.example.com"],
    )
    deny: tuple[str, ...] = key(ListOf(v.LINE), "Domains that stay closed whatever is allowed.", example=["evil.test"])
    methods: tuple[str, ...] = key(
        ListOf(v.choice(*METHODS), some=True),
        "HTTP methods the agent may use; all when left out.",
        example=["GET", "HEAD", "OPTIONS"],
    )
    inspect: bool = key(
        v.BOOLEAN,
        "End TLS at the gateway where methods, paths or network secrets need it; containers trust its certificates.",
        default=False,
    )


@dataclass(frozen=True, slots=True)
class Cache:
    """How long a snapshot serves (SPEC C1)."""

    ttl: int = key(v.duration("1s", "12h"), "Age at which a snapshot is built again, 12h at most.", default="12h")
    enabled: bool = key(v.BOOLEAN, "Keep snapshots at all.", default=True)
    standby: bool = key(
        v.BOOLEAN, "Let a container stand by for the next task while a workbench or a watch is open.", default=True
    )


@dataclass(frozen=True, slots=True)
class Resources:
    """What one container may use."""

    cpus: float = key(v.number(0.1, 1024), "Processors.", default=2)
    memory: int = key(v.size("64m", "64t"), "Memory, without swap.", default="4g")
    pids: int = key(v.integer(16, 1_000_000), "Processes and threads.", default=512)
    disk: int = key(v.size("64m", "64t"), "Space for what the container writes.", default="10g")


@dataclass(frozen=True, slots=True)
class Agent:
    """Who does the work (SPEC A1)."""

    use: str = key(v.choice(*AGENTS), "Which agent.", default="codex")
    timeout: int = key(v.duration("1s", "7d"), "Time the agent has for one prompt.", default="1h")
    idle: int = key(
        v.duration("1s", "7d"), "Time that may pass without anything printed, said or begun.", default="10m"
    )
    max_commands: int = key(v.integer(1, 1_000_000), "Commands it may run for one prompt.", default=200)
    max_repeats: int = key(
        v.integer(2, 1000),
        "Times in a row that the same command, or the same two or three, may print the same.",
        default=6,
    )
    max_requests: int = key(v.integer(1, 1_000_000), "Requests to its model for one prompt.", default=500)
    max_tokens: int = key(
        v.integer(0, 10**12), "Tokens it may use for one prompt, where it reports them; 0 for any.", default=20_000_000
    )
    max_cost: float = key(
        v.number(0, 1_000_000), "US dollars it may cost for one prompt, where it reports them; 0 for any.", default=0
    )
    command: tuple[str, ...] = key(
        ListOf(v.ARGUMENT), "Program of the agent and its arguments.", example=["pytest", "-q"]
    )
    plan: str = key(v.FILE, "Plan file of the replay agent, beside this file.", example="replay.json")
    options: Mapping[str, Any] = key(
        MapOf(v.LINE, v.PLAIN), "Settings only this agent knows.", example={"model": "small"}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One environment file, read and checked.

    `id` is fit for container and image names; `path` is absolute; `source_text_sha256` is the hash of the file's
    bytes that trust is given to (SPEC E7).
    """

    id: str
    path: Path
    source_text_sha256: str
    name: str = key(v.NAME, "What the environment is called.", required=True, example="web")
    repository: Repository = key(TableOf(Repository), "The repository a task works on.")
    image: Image = key(TableOf(Image), "The image containers are made of: a name or a Dockerfile.")
    versions: Mapping[str, str] = key(
        MapOf(v.choice(*TOOLS), v.VERSION),
        "Language versions, for images that offer several.",
        example={"python": "3.12", "node": "22"},
    )
    setup: Setup = key(TableOf(Setup), "What prepares a snapshot.")
    maintenance: Maintenance = key(TableOf(Maintenance), "What brings a snapshot up to date.")
    start: Start = key(TableOf(Start), "Services beside the agent.")
    variables: Mapping[str, str] = key(
        MapOf(v.VARIABLE_NAME, v.VARIABLE_VALUE), "Environment variables of all phases.", example={"DJANGO_DEBUG": "1"}
    )
    secrets: Mapping[str, Secret] = key(
        MapOf(v.VARIABLE_NAME, TableOf(Secret, "write NAME = {} here and give the value to `fumehood secret set`")),
        "Secrets of the setup script; their values are kept encrypted elsewhere.",
        example={"NPM_TOKEN": {}},
    )
    network: Network = key(TableOf(Network), "What the agent may reach.")
    cache: Cache = key(TableOf(Cache), "How long a snapshot serves.")
    resources: Resources = key(TableOf(Resources), "What one container may use.")
    agent: Agent = key(TableOf(Agent), "Who does the work.")

    @property
    def directory(self) -> Path:
        """The folder of the file, which its relative paths start from."""
        return self.path.parent


def environment_id(name: str, path: Path) -> str:
    """An id safe as part of file, container and image names, different for every file (SECURITY-CASES B04)."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-") or "environment"
    return f"{slug}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"


def environments_dir() -> Path:
    """The folder of environment files kept outside repositories (SPEC E1)."""
    from engine.state import config_dir

    return config_dir() / "environments"


def is_users_own(path: Path) -> bool:
    """Whether `path` lies directly in `environments_dir`: written by the user, in no repository."""
    return Path(os.path.normpath(path.absolute())).parent == Path(os.path.normpath(environments_dir()))
