"""What a project tells its agents, in one line: the files, and the commands that they name."""

from __future__ import annotations

from engine.tasks import events as ev


def instructions_line(event: ev.Instructions) -> str:
    """`AGENTS.md, web/AGENTS.md (made by setup) · test: pytest -q · lint: ruff check .`; all of it is the project's."""
    files = ", ".join(f"{path} (made by setup)" if made else path for path, made in event.files)
    return " · ".join([files, *(f"{kind}: {command}" for kind, command in event.commands)])
