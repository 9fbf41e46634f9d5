"""A scripted model for codex: what it may say there, and the server that says it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from tests.agents.model_server import ModelServer, Step, serving


def step(
    *, shell: Sequence[str] = (), patch: str = "", plan: Sequence[tuple[str, str]] = (), yields_after: int = 30000,
    **said: Any,
) -> Step:  # fmt: skip
    """A step whose calls are of the tools that codex offers for commands, plans and patches; `said` is as in `Step`.

    Codex goes on without a command that runs for longer than `yields_after` milliseconds.
    """
    calls = [("exec_command", json.dumps({"cmd": line, "yield_time_ms": yields_after})) for line in shell]
    if plan:
        items = [{"step": text, "status": status} for text, status in plan]
        calls.append(("update_plan", json.dumps({"plan": items})))
    patches = [{"type": "custom_tool_call", "name": "apply_patch", "input": patch}] if patch else []
    return Step(calls=calls, other_calls=patches, **said)


def scripted(*steps: Step, key: str = "sk-scripted") -> AbstractContextManager[ModelServer]:
    """Serve these steps until the block ends; codex repeats requests, and may have several threads."""
    return serving(*steps, key=key, by_history=True)
