"""One turn of claude in the container: started, read line by line, interrupted when it is to end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import cast

from engine.agents.base import Alive, Begun, Chunk, Exit, Job, Yielded
from engine.agents.claude import INSIDE, Settings
from engine.agents.claude.story import Story
from engine.agents.earlier import NEVER_BEGUN, anew
from engine.agents.instructions import project_instructions
from engine.agents.lines import Lines, json_object

_LAST_WORDS = 2000
# The container is the sandbox, updates and telemetry would only run into the gateway.
_VARIABLES = {
    "IS_SANDBOX": "1",
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
}
# Run by a login shell, as commands of agents are; the first line is its process id.
_START = 'echo $$; exec "$@"'
# Lets it end the turn itself: its command ends with it, and the session can be resumed.
_INTERRUPT = (
    'kill -INT "$1" 2>/dev/null; for ((i = 0; i < 40; i++)); do kill -0 "$1" 2>/dev/null || exit; sleep 0.1; done'
)
# It keeps its sessions in its home, in the container.
_KNOWN = 'ls "${CLAUDE_CONFIG_DIR:-$HOME/.claude}"/projects/*/"$1".jsonl'


async def work(job: Job, settings: Settings, url: str) -> AsyncIterator[Yielded]:
    """Do the job with the model at `url`; the last thing that is yielded is an `Ended`."""
    found = await project_instructions(job.terminal, job.workdir)
    argv = [f"{INSIDE}/claude", "-p", "--output-format", "stream-json", "--verbose", "--dangerously-skip-permissions"]
    argv += ["--model", settings.model] if settings.model else []
    argv += ["--append-system-prompt", f"The project's instructions:\n\n{found.text}"] if found.text else []
    early: list[Yielded] = [*found.events()]
    prompt = job.prompt
    if job.session and await _has(job, job.session):
        argv += ["--resume", job.session]
    elif job.session or job.before:
        prompt, notice = anew(job, "the container that it was in is gone" if job.session else NEVER_BEGUN)
        early.append(notice)
    environ = {**_VARIABLES, "ANTHROPIC_BASE_URL": url}
    shell = ["bash", "-lc", _START, "claude", *argv]
    story, lines, said, pid = Story(job.workdir), Lines(), b"", ""
    begun, code = False, None
    running = job.terminal.run(shell, cwd=job.workdir, env=environ, stdin=prompt.encode("utf-8", "replace"))
    ended = False
    try:
        async with aclosing(cast("AsyncGenerator[Chunk | Exit, None]", running)) as output:
            async for item in output:
                if isinstance(item, Exit):
                    ended, code = True, item.code
                    break
                if item.stream == "err":
                    said = (said + item.data)[-_LAST_WORDS:]
                    continue
                for line in lines.feed(item.data):
                    if not pid and line.isdigit():
                        pid = line.decode()
                        continue
                    for event in story.tell(json_object(line), line):
                        if begun:
                            yield event
                        elif isinstance(event, Begun):
                            begun = True
                            for first in (event, *early):
                                yield first
                        else:
                            early.append(event)
                if begun:
                    yield Alive()
    finally:
        if not ended and pid:
            async for _ in job.terminal.run(["bash", "-c", _INTERRUPT, "fumehood", pid]):
                pass
    for event in () if begun else early:
        yield event
    for event in story.end(code, said.decode("utf-8", "replace").strip()):
        yield event


async def _has(job: Job, session: str) -> bool:
    """Whether claude can take up a session."""
    async for item in job.terminal.run(["bash", "-lc", _KNOWN, "fumehood", session]):
        if isinstance(item, Exit):
            return item.code == 0
    return False
