"""A task's events as lines of a plain terminal: `exec --wait`, `logs` and the demo print these."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from engine.tasks import events as ev
from tui.present.instructions import instructions_line
from tui.present.policy import policy_line
from tui.present.text import clean

_GLYPHS = {"done": "✓", "skipped": "–", "failed": "✗"}
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


class PlainLog:
    """Turns events into lines, a command's output after its own line, named again where several run.

    Args:
        colour: whether to use SGR colours; the words and glyphs say the same without them.
    """

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour
        self._partial = ""
        self._shown = ""
        self._commands: dict[str, str] = {}

    def lines(self, event: ev.AnyEvent) -> Iterator[str]:
        """The lines that this event adds; text of containers and models is cleaned (SPEC W11)."""
        if isinstance(event, ev.CommandOutput):
            yield from self._output(event)
            return
        yield from self._rest()
        match event:
            case ev.PhaseFinished():
                yield self._phase(event)
                if event.tail:
                    yield from (f"    {clean(line)}" for line in event.tail.splitlines())
            case ev.CacheDecision():
                yield self._paint("bold", f"cache {event.result}: {clean(event.reason)}")
            case ev.NetworkPolicy():
                yield self._paint("dim", f"network {clean(policy_line(event))}")
            case ev.NetworkProven():
                state = f"network {event.mode}: proven" if event.ok else f"network {event.mode}: NOT as promised"
                yield self._paint("green" if event.ok else "red", state)
            case ev.NetworkLost():
                yield self._paint("red", f"✗ network lost: {clean(event.reason)}")
            case ev.NetworkRestored():
                yield self._paint("green", "network restored, under the same policy")
            case ev.NetworkRequest() if event.decision != "allowed":
                where = clean(f"{event.method} {event.host}:{event.port}")
                yield self._paint("yellow", f"✗ network {event.decision}: {where} ({clean(event.reason)})")
            case ev.CommandStarted():
                self._commands[event.id], self._shown = event.command, event.id
                yield self._paint("cyan", f"$ {clean(event.command)}")
            case ev.CommandFinished():
                yield from self._turn_to(event.id)
                yield self._finished(event)
            case _:
                yield from self._told(event)

    def _told(self, event: ev.AnyEvent) -> Iterator[str]:
        match event:
            case ev.Message(final=False):
                yield from (f"¶ {clean(line)}" for line in event.text.splitlines())
            case ev.Plan():
                for text, status in event.items:
                    yield f"  [{'x' if status == 'completed' else ' '}] {clean(text)}"
            case ev.FileChanged():
                yield f"± {clean(event.path)} ({event.kind})"
            case ev.Instructions():
                yield self._paint("dim", f"· {clean(instructions_line(event))}")
            case ev.Notice():
                yield self._paint("yellow" if event.level == "warning" else "dim", f"· {clean(event.text)}")
            case ev.Error():
                yield self._paint("red", f"✗ {clean(event.text)}")
                if event.hint:
                    yield f"  {clean(event.hint)}"
            case ev.TaskStatus() if event.status not in ("pending", "in_progress"):
                colour = "green" if event.status in ("ready", "applied") else "red"
                why = f": {clean(event.reason)}" if event.reason else ""
                yield self._paint(colour, f"task {event.status}{why}")
            case ev.Published():
                what = event.url or event.sha[:12]
                yield self._paint("green", f"published: {clean(event.branch)} → {clean(event.remote)} {clean(what)}")
            case ev.DiffReady():
                files = f"{event.files_changed} file{'' if event.files_changed == 1 else 's'}"
                yield self._paint("bold", f"diff: {files} +{event.lines_added} −{event.lines_removed}")
            case _:
                return

    def _phase(self, event: ev.PhaseFinished) -> str:
        code = f" (exit code {event.exit_code})" if event.exit_code is not None and event.status == "failed" else ""
        why = f": {clean(event.reason)}" if event.reason else ""
        seconds = f" {event.seconds:.1f}s" if event.status != "skipped" else ""
        line = f"{_GLYPHS[event.status]} {event.phase}{seconds}{why}{code}"
        return self._paint({"failed": "red", "skipped": "dim", "done": "green"}[event.status], line)

    def _finished(self, event: ev.CommandFinished) -> str:
        code = "?" if event.exit_code is None else str(event.exit_code)
        ok = event.status == "completed"
        extra = "" if event.status in ("completed", "failed") else f" {event.status}"
        kept = ", output cut" if event.truncated else ""
        return self._paint("dim" if ok else "red", f"  exit {code}{extra} in {event.duration:.2f}s{kept}")

    def _output(self, event: ev.CommandOutput) -> Iterator[str]:
        yield from self._turn_to(event.id)
        *whole, self._partial = (self._partial + event.text).split("\n")
        for line in whole:
            shown = line.rstrip("\r").rpartition("\r")[2]
            yield f"  │ {clean(shown)}"

    def _turn_to(self, command: str) -> Iterator[str]:
        """Name the command that the next lines are of, when those above are of another."""
        if self._shown != command:
            yield from self._rest()
            yield self._paint("dim", f"… {clean(self._commands.get(command, command))}")
            self._shown = command

    def _rest(self) -> Iterator[str]:
        if self._partial:
            yield f"  │ {clean(self._partial)}"
        self._partial = ""

    def _paint(self, style: str, text: str) -> str:
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self._colour else text


def colour_wanted() -> bool:
    """Whether standard output is a terminal that wants colours."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
