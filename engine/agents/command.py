"""The `command` agent: any program run in the container; its output is the log, its end the answer."""

from __future__ import annotations

import shlex
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from engine.agents.base import Agent, Capabilities, Chunk, Ended, Finished, Job, Output, Started, Yielded

_ANSWER_BYTES = 4000


class CommandAgent(Agent):
    """Runs `[agent] command` (or, without one, the prompt itself as a shell line) once.

    The prompt is in the program's environment as FUMEHOOD_PROMPT. The run is completed when it exits 0.
    """

    name = "command"
    capabilities = Capabilities(where="container", live_output=True, resume=False)

    def check(self, settings: Mapping[str, Any], environment_dir: Path) -> list[str]:
        """Nothing is needed on the host."""
        return []

    async def start(self, job: Job) -> AsyncIterator[Yielded]:
        """Run the program in the work directory and answer with the end of its output."""
        line = _line(job)
        yield Started("1", line, job.workdir)
        tail, code = b"", None
        shell = ["bash", "-lc", line]
        async for event in job.terminal.run(shell, cwd=job.workdir, env={"FUMEHOOD_PROMPT": job.prompt}):
            if isinstance(event, Chunk):
                tail = (tail + event.data)[-_ANSWER_BYTES:]
                yield Output("1", event.stream, event.data)
            else:
                code = event.code
        yield Finished("1", code)
        text = tail.decode("utf-8", "replace").strip()
        outcome = _outcome(code)
        answer = f"`{line}` {outcome}."
        answer += f"\n\n```\n{text}\n```" if text else "\n\nIt printed nothing."
        yield Ended("completed" if code == 0 else "failed", answer, "" if code == 0 else outcome, exit_code=code)


def _line(job: Job) -> str:
    command = job.settings.get("command") or ()
    return shlex.join(command) if command else job.prompt


def _outcome(code: int | None) -> str:
    if code is None:
        return "was stopped before it ended"
    if code == 0:
        return "succeeded"
    if code == 127:
        return "was not found in the container (exit code 127)"
    if code == 126:
        return "cannot be executed (exit code 126)"
    if code == 137:
        return "was killed (exit code 137)"
    if 128 < code <= 128 + signal.SIGRTMAX:
        return f"was ended by signal {code - 128} (exit code {code})"
    return f"failed with exit code {code}"
