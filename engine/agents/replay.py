"""The `replay` agent: a JSON plan of messages, commands and edits, carried out for real, the same each time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from engine.agents.base import Agent, Capabilities, Chunk, Ended, Finished, Job, Output, Started, Yielded, login_shell
from engine.errors import UsageError
from engine.tasks import events as ev

_KEYS = {
    "say": str,
    "think": str,
    "plan": list,
    "shell": str,
    "expect": int,
    "write": dict,
    "edit": dict,
    "delay": (int, float),
    "final": str,
    "error": str,
}
_READ = 'cat -- "$1"'
_WRITE = 'mkdir -p -- "$(dirname -- "$1")" && cat > "$1"'


class ReplayAgent(Agent):
    """Carries out `[agent] plan`, a file beside the environment file.

    A step may have `say`, `think`, `plan`, `shell` (run by a login shell in the work directory, with `expect`
    its exit code must be this one), `write` {path, content}, `edit` {path, find, replace}, `delay` (seconds),
    `error` (the run fails with this text) and `final` (the answer; steps after it serve follow-ups).
    The session is the number of the step to go on with.
    """

    name = "replay"
    capabilities = Capabilities(where="host", live_output=True, resume=True)

    def check(self, settings: Mapping[str, Any], environment_dir: Path) -> list[str]:
        """The plan must be there and make sense before anything is started."""
        try:
            load_plan(_plan_path(settings, environment_dir))
        except UsageError as error:
            return [str(error)]
        return []

    async def start(self, job: Job) -> AsyncIterator[Yielded]:
        """Go through the steps from the session's number to the next `final`."""
        steps = load_plan(_plan_path(job.settings, job.environment_dir))
        first = int(job.session) if job.session.isdigit() else 0
        if first >= len(steps):
            first = 0
        for number, step in enumerate(steps[first:], first):
            failure = ""
            async for event in _step(job, str(number), step):
                if isinstance(event, Finished) and "expect" in step and event.exit_code != step["expect"]:
                    failure = f"step {number + 1} exited {event.exit_code}, the plan expects {step['expect']}"
                if isinstance(event, ev.Error):
                    failure = event.text
                yield event
            if failure:
                yield Ended("failed", reason=failure, session=str(number), exit_code=1)
                return
            if "final" in step:
                yield Ended("completed", answer=step["final"], session=str(number + 1), exit_code=0)
                return
        yield Ended("completed", reason="the plan has no answer", session=str(len(steps)), exit_code=0)


async def _step(job: Job, key: str, step: dict[str, Any]) -> AsyncIterator[Yielded]:
    await asyncio.sleep(step.get("delay", 0))
    if "think" in step:
        yield ev.Reasoning(text=step["think"])
    if "plan" in step:
        yield ev.Plan(items=[(str(text), str(status)) for text, status in step["plan"]])
    if "say" in step:
        yield ev.Message(text=step["say"])
    if "shell" in step:
        yield Started(key, step["shell"], job.workdir)
        async for event in job.terminal.run(login_shell(step["shell"]), cwd=job.workdir):
            yield Output(key, event.stream, event.data) if isinstance(event, Chunk) else Finished(key, event.code)
    if "write" in step:
        yield await _write(job, step["write"]["path"], step["write"]["content"].encode(), "add")
    if "edit" in step:
        yield await _edit(job, **step["edit"])
    if "error" in step:
        yield ev.Error(text=step["error"], kind="agent")


async def _edit(job: Job, path: str, find: str, replace: str) -> Yielded:
    code, data = await _capture(job, _READ, path)
    old = data.decode("utf-8", "surrogateescape")
    if code != 0 or old.count(find) != 1:
        why = "cannot be read" if code else f"holds the text to replace {old.count(find)} times, not once"
        return ev.Error(text=f"edit of {path}: the file {why}", kind="agent")
    return await _write(job, path, old.replace(find, replace).encode("utf-8", "surrogateescape"), "update")


async def _write(job: Job, path: str, content: bytes, kind: Any) -> Yielded:
    code, _ = await _capture(job, _WRITE, path, stdin=content)
    if code != 0:
        return ev.Error(text=f"cannot write {path} in the container", kind="agent")
    return ev.FileChanged(path=path, kind=kind)


async def _capture(job: Job, script: str, path: str, stdin: bytes = b"") -> tuple[int | None, bytes]:
    data, code = bytearray(), None
    async for event in job.terminal.run(["bash", "-c", script, "replay", path], cwd=job.workdir, stdin=stdin):
        if isinstance(event, Chunk):
            data += event.data if event.stream == "out" else b""
        else:
            code = event.code
    return code, bytes(data)


def _plan_path(settings: Mapping[str, Any], environment_dir: Path) -> Path:
    plan = settings.get("plan") or ""
    if not plan:
        raise UsageError("agent replay needs a plan", 'set [agent] plan = "replay.json" in the environment file')
    return environment_dir / plan


def load_plan(path: Path) -> list[dict[str, Any]]:
    """The steps of a plan file.

    Raises:
        UsageError: the file is missing, no JSON, or a step has an unknown key or a value of the wrong type.
    """
    try:
        steps = json.loads(path.read_text("utf-8"))["steps"]
    except OSError as error:
        raise UsageError(f"replay plan {path}: {error.strerror}", "see [agent] plan in the environment file") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f'replay plan {path} is not {{"steps": [...]}}: {error}') from error
    if not isinstance(steps, list):
        raise UsageError(f"replay plan {path}: steps must be a list")
    for number, step in enumerate(steps, 1):
        problem = _problem(step)
        if problem:
            raise UsageError(f"replay plan {path}, step {number}: {problem}")
    return steps


def _problem(step: Any) -> str:
    if not isinstance(step, dict):
        return "must be an object"
    for key, value in step.items():
        if key not in _KEYS:
            return f"unknown key {key!r}; known are {', '.join(_KEYS)}"
        if not isinstance(value, _KEYS[key]):  # type: ignore[arg-type]
            return f"{key} has the wrong type"
    for key, fields in (("write", {"path", "content"}), ("edit", {"path", "find", "replace"})):
        if key in step and (set(step[key]) != fields or not all(isinstance(v, str) for v in step[key].values())):
            return f"{key} needs the texts {', '.join(sorted(fields))}"
    for item in step.get("plan", ()):
        if not (isinstance(item, list) and len(item) == 2):
            return "plan must be a list of [text, status]"
    return ""
