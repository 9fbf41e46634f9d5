"""The loop itself: ask, run what the model wants run, ask again, until it wants nothing more (SPEC A1)."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from engine.agents.base import (
    Agent,
    Begun,
    Capabilities,
    Chunk,
    Ended,
    Finished,
    Job,
    Output,
    Started,
    Yielded,
    login_shell,
)
from engine.agents.earlier import NEVER_BEGUN, anew
from engine.agents.instructions import project_instructions
from engine.agents.loop import conversation as talk
from engine.agents.loop.client import Model, Spent, needs_trust, trust
from engine.agents.loop.settings import Settings, read
from engine.agents.loop.wire import BASH, ModelError
from engine.agents.parts import text
from engine.environment.model import Agent as Section
from engine.errors import UsageError
from engine.secrets.secret import Secret
from engine.tasks import events as ev

_OF_ALL_AGENTS = frozenset(field.name for field in fields(Section))
# Of longer output the model gets so much of its beginning and of its end.
HEAD = 6 << 10
TAIL = 10 << 10
_TIMED_OUT = frozenset({124, 137})
_TOO_LONG = ("context_length_exceeded", "context length", "context window", "prompt is too long", "too many tokens")
_HALVINGS = 4

SYSTEM = """\
You are a coding agent. You work on the project in {workdir} of a Linux container, with one tool: bash.
Nobody can answer questions while you work, so decide for yourself and carry the task through.

- Look at the code before you change it, and keep to its style. Change what the task needs, nothing else.
- Check what you did: run the tests and linters that the project has, those its instructions name above all.
- A command may take {seconds} seconds and has no input. Start what has to run on with `nohup … >FILE 2>&1 &`.
- The internet may be closed or restricted here; a refused request says so. Do not try to get around it.
- Leave your changes in the work tree. Committing is not needed.

When the task is done, answer without calling the tool: say briefly in Markdown what you changed, how you checked it,
and what is left open. That answer ends your work.
"""
_CUT = "Your answer reached its limit of length and was cut. Go on in smaller steps."
_EMPTY = "Your answer was empty. Go on, or say what you did if you are done."


class LoopAgent(Agent):
    """Any model behind an OpenAI- or Anthropic-compatible interface; see `settings.Settings` for the options."""

    name = "loop"
    capabilities = Capabilities(where="host", live_output=True, resume=True)

    def check(self, settings: Mapping[str, Any], environment_dir: Path) -> list[str]:
        """What is wrong with the options, or missing on this machine; no request is made."""
        return read(_options(settings))[1]

    def secrets(self, settings: Mapping[str, Any]) -> Mapping[str, Secret]:
        """The key of the model."""
        found, problems = read(_options(settings))
        if found is None:
            raise UsageError("; ".join(problems))
        return {"key of the model": Secret(found.key.encode())} if found.key else {}

    def warm(self, settings: Mapping[str, Any]) -> None:
        """Load the HTTP client, and who is trusted to be a server: 0.2 s."""
        import httpx  # noqa: F401

        found, _ = read(_options(settings))
        if found and needs_trust(found.base_url):
            trust()

    async def start(self, job: Job) -> AsyncIterator[Yielded]:
        """Work on the prompt, in the earlier conversation if the job names one."""
        settings, problems = read(_options(job.settings))
        if settings is None:
            yield Ended("failed", reason="; ".join(problems))
            return
        session = talk.Session(job.home, job.session)
        yield Begun(model=settings.model, session=session.name)
        prompt = job.prompt
        if session.lost or (job.before and not job.session):
            prompt, lost = anew(job, "its conversation is gone" if session.lost else NEVER_BEGUN)
            yield lost
        session.turns.append(talk.User(text(prompt)))
        session.save()
        found = await project_instructions(job.terminal, job.workdir)
        for event in found.events():
            yield event
        system = SYSTEM.format(workdir=job.workdir, seconds=settings.command_timeout)
        system += f"\nThe project's instructions:\n\n{found.text}\n" if found.text else ""
        async with Model(settings, int(job.settings.get("max_requests", 500))) as model:
            async for item in _Turn(job, settings, session, system, model).run():
                yield item


def _options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The `[agent]` section without what is there for every agent."""
    return {name: value for name, value in settings.items() if name not in _OF_ALL_AGENTS}


class _Turn:
    """One prompt being worked on."""

    def __init__(self, job: Job, settings: Settings, session: talk.Session, system: str, model: Model) -> None:
        self._job, self._settings, self._session = job, settings, session
        self._system, self._model = system, model
        self._room = settings.context_tokens
        self._used = ev.Usage()
        self._commands = 0

    async def run(self) -> AsyncIterator[Yielded]:
        """Ask and run until the model is done or fails."""
        empty = 0
        while True:
            said: talk.Said | None = None
            try:
                async for item in self._ask():
                    if isinstance(item, talk.Said):
                        said = item
                    else:
                        yield item
            except ModelError as fault:
                yield _error(fault, self._settings)
                yield Ended("failed", reason=str(fault), session=self._session.name)
                return
            except Spent:
                yield Ended(
                    "limit", reason="its requests are used up, see [agent] max_requests", session=self._session.name
                )
                return
            assert said is not None
            yield self._counted(said.usage)
            if said.reasoning:
                yield ev.Reasoning(text=said.reasoning)
            answer = said.answer
            self._keep(answer)
            if answer.calls:
                if answer.text.strip():
                    yield ev.Message(text=answer.text)
                async for item in self._carry_out(answer.calls):
                    yield item
                continue
            if said.cut:
                if answer.text.strip():
                    yield ev.Message(text=answer.text)
                self._keep(talk.User(_CUT))
            elif answer.text.strip():
                yield Ended("completed", answer.text.strip(), session=self._session.name)
                return
            elif empty:
                yield Ended("failed", reason="the model answered nothing, twice", session=self._session.name)
                return
            else:
                empty += 1
                self._keep(talk.User(_EMPTY))

    async def _ask(self) -> AsyncIterator[Yielded | talk.Said]:
        """An answer to the conversation, shortened when the model turns out to hold less than was thought."""
        for halving in range(_HALVINGS + 1):
            before = self._session.turns
            self._session.turns = talk.trimmed(before, self._room - talk.tokens([], self._system))
            if talk.tokens(self._session.turns) < talk.tokens(before):
                yield ev.Notice(level="info", text="the conversation was trimmed: it had grown too long for the model")
            try:
                async for item in self._model.ask(self._system, self._session.turns):
                    yield item
                return
            except ModelError as fault:
                told = f"{fault.code} {fault}".lower()
                if halving == _HALVINGS or fault.status not in (400, 413) or not any(w in told for w in _TOO_LONG):
                    raise
                self._room = talk.tokens(self._session.turns, self._system) // 2

    def _keep(self, turn: talk.Turn) -> None:
        self._session.turns.append(turn)
        self._session.save()

    def _counted(self, usage: ev.Usage) -> ev.Usage:
        """What the turn has used so far."""
        old, costs = self._used, [u.cost_usd for u in (self._used, usage) if u.cost_usd is not None]
        self._used = ev.Usage(
            input=old.input + usage.input,
            cached=old.cached + usage.cached,
            output=old.output + usage.output,
            reasoning=old.reasoning + usage.reasoning,
            cost_usd=sum(costs) if costs else None,
            scope="run",
        )
        return self._used

    async def _carry_out(self, calls: list[talk.Call]) -> AsyncIterator[Yielded]:
        results = []
        for call in calls:
            command, problem = command_of(call)
            if problem:
                yield ev.Notice(level="warning", text=f"the model's call of {call.name[:80]!a} was refused: {problem}")
                results.append(talk.Result(call.id, f"error: {problem}"))
                continue
            shown = Shown()
            self._commands += 1
            async for item in self._run(str(self._commands), command, shown):
                yield item
            results.append(talk.Result(call.id, shown.text()))
        self._keep(talk.Results(results))

    async def _run(self, key: str, command: str, shown: Shown) -> AsyncIterator[Yielded]:
        yield Started(key, command, self._job.workdir)
        seconds = self._settings.command_timeout
        # `timeout` ends all that the command started, except what made itself independent.
        argv = ["timeout", "--kill-after=5", str(seconds), *login_shell(command)]
        loop = asyncio.get_running_loop()
        began = loop.time()
        async for event in self._job.terminal.run(argv, cwd=self._job.workdir):
            if isinstance(event, Chunk):
                shown.add(event.data)
                yield Output(key, event.stream, event.data)
                continue
            yield Finished(key, event.code)
            shown.ended = f"exit code {event.code}"
            if event.code in _TIMED_OUT and loop.time() - began >= seconds:
                shown.ended = f"stopped at the limit of {seconds} seconds"


class Shown:
    """What the model is shown of a command: how it ended, and its output without the middle where it is long."""

    def __init__(self) -> None:
        self.ended = ""
        self._head = b""
        self._tail: deque[bytes] = deque()
        self._size = 0
        self._kept = 0

    def add(self, data: bytes) -> None:
        """More output; only what will be shown is kept."""
        self._size += len(data)
        room = HEAD - len(self._head)
        self._head += data[:room] if room > 0 else b""
        rest = data[max(room, 0) :]
        if rest:
            self._tail.append(rest)
            self._kept += len(rest)
            while self._kept - len(self._tail[0]) >= TAIL:
                self._kept -= len(self._tail.popleft())

    def text(self) -> str:
        """As the model gets it."""
        tail = b"".join(self._tail)[-TAIL:]
        missing = self._size - len(self._head) - len(tail)
        middle = f"\n[… {missing} bytes are left out here …]\n".encode() if missing else b""
        printed = (self._head + middle + tail).decode("utf-8", "replace")
        return f"{self.ended}\n{printed}" if printed.strip() else f"{self.ended}, nothing was printed"


def command_of(call: talk.Call) -> tuple[str, str]:
    """The command line a call asks for, or why there is none, in words for the model."""
    if call.name != BASH:
        return "", f"there is no tool of this name; the only one is {BASH}"
    try:
        arguments = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return "", 'the arguments are not JSON; write {"command": "…"}'
    command = arguments.get("command") if isinstance(arguments, dict) else None
    if not isinstance(command, str) or not command.strip():
        return "", 'the arguments hold no command; write {"command": "…"}'
    if "\0" in command:
        return "", "a command cannot hold NUL characters"
    if len(command.encode("utf-8", "replace")) > 120_000:
        return "", "the command is too long for the kernel; write large files in several steps"
    return text(command), ""


def _error(fault: ModelError, settings: Settings) -> ev.Error:
    """The fault as an event, with what to do about it."""
    if fault.status in (401, 403):
        hint = "the server refuses the key: see option key_env"
        hint = hint if settings.key else "the server wants a key: name its variable with option key_env"
        return ev.Error(text=str(fault), kind="auth", hint=hint)
    hint = ""
    if fault.status == 404:
        hint = f"is {settings.model} a model of {settings.base_url}, and is that the address with its version (/v1)?"
    elif fault.passing:
        hint = f"does {settings.base_url} answer? Start the task again later"
    return ev.Error(text=f"the model did not answer: {fault}", kind="model", hint=hint)
