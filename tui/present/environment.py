"""An environment as a summary to read, or what is wrong with its file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.present import actions, words
from tui.present.row import Row, Span, row, wrap
from tui.present.text import one_line

if TYPE_CHECKING:
    from engine.environment.model import Environment

_KEY_CELLS = 11


def no_environment() -> tuple[Row, ...]:
    """What the pane says while there is no environment: what one is, and how to get it."""
    keys = (("init_environment", "see what a first one would be"), ("reload", "read the files again"))
    return (
        row(""),
        row("  No environment here."),
        row(""),
        row(("  One file says what a task's", "muted")),
        row(("  container is made of.", "muted")),
        row(""),
        *(row((f"  {actions.key_of(name)}", "key"), (f"  {said}", "muted")) for name, said in keys),
    )


def rows(environment: Environment, width: int) -> list[Row]:
    """What a task of this environment gets: where from, what runs, what it may reach."""
    lines = [
        _fact("file", near(environment.path), "muted"),
        _fact("repository", _repository(environment)),
        _fact("image", environment.image.build or environment.image.name),
        _fact("versions", " · ".join(f"{tool} {v}" for tool, v in environment.versions.items())),
        _fact("setup", _script(environment.setup.script, "auto" if environment.setup.auto else "none")),
        _fact("maintain", _maintenance(environment)),
        _fact("start", _script(environment.start.script, "")),
        _fact("variables", ", ".join(environment.variables)),
        _fact("secrets", _secrets(environment)),
        _fact("network", _network(environment)),
        _fact("agent", f"{environment.agent.use} · at most {words.span(environment.agent.timeout)}"),
        _fact("limits", _limits(environment)),
    ]
    return [line for line in lines if line is not None]


def _fact(name: str, value: str, role: str = "") -> Row | None:
    return row((f" {name:<{_KEY_CELLS}}", "muted"), (one_line(value, 300), role)) if value else None


def near(path: Path) -> str:
    for base, short in ((Path.cwd(), ""), (Path.home(), "~/")):
        if path.is_relative_to(base):
            return short + str(path.relative_to(base))
    return str(path)


def _repository(environment: Environment) -> str:
    local = environment.repository.path
    place = near(local) if local and local != Path.cwd() else "this folder" if local else environment.repository.url
    branch = environment.repository.default_branch
    return f"{place or 'this folder'} @ {branch}" if branch else place


def _script(script: str, otherwise: str) -> str:
    lines = [line for line in script.strip().splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        return otherwise
    more = f" · {words.count(len(lines), 'line')}" if len(lines) > 1 else ""
    start = f"{otherwise} + " if otherwise == "auto" else ""
    return f"{start}{one_line(lines[0], 60)}{more}"


def _maintenance(environment: Environment) -> str:
    script = _script(environment.maintenance.script, "auto" if environment.setup.auto else "")
    watched = ", ".join(environment.maintenance.watch)
    return f"{script} (watches {watched})" if script and watched else script


def _secrets(environment: Environment) -> str:
    return ", ".join(
        f"{name} ({'setup, maintenance' if secret.maintenance else 'setup only'})"
        for name, secret in environment.secrets.items()
    )


def _network(environment: Environment) -> str:
    network = environment.network
    if network.agent == "off":
        return "off after setup"
    methods = f" · {' '.join(network.methods)}" if network.methods else ""
    return f"limited: {', '.join(network.allow) or 'nothing'}{methods}" if network.agent == "limited" else "full"


def _limits(environment: Environment) -> str:
    limits = environment.resources
    return f"{limits.cpus:g} cpus · {words.memory(limits.memory)} · {limits.pids} processes"


def problem_rows(path: Path, problems: Sequence[Any], width: int) -> list[Row]:
    """What is wrong with an environment file, each with what would be right."""
    found = words.count(len(problems), "problem")
    lines = [row((" ✗ ", "bad"), (f"{near(path)}: {found}", "bad")), row("")]
    for problem in problems:
        line = getattr(problem, "line", None)
        where: Span = (f" {line:>4}  " if line else "    ·  ", "muted")
        key = str(getattr(problem, "key", ""))
        message = str(getattr(problem, "message", problem))
        parts = wrap(f"{key}: {message}" if key else message, width - 9)
        lines += [row(where if n == 0 else " " * 7, part) for n, part in enumerate(parts)]
        hint = str(getattr(problem, "hint", ""))
        lines += [row(" " * 7, (part, "muted")) for part in (wrap(hint, width - 9) if hint else ())]
    keys = row((" e ", "key"), ("opens the file, ", "muted"), ("r ", "key"), ("reads it again", "muted"))
    return [*lines, row(""), keys]
