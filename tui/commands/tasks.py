"""exec, status, list, logs, diff, apply, cancel: the words and exit codes of `codex cloud` (SPEC L1, L2)."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.bench import Bench
from engine.errors import UsageError
from tui.commands.output import print_json, progress, say, table
from tui.commands.trust import ensure

if TYPE_CHECKING:
    from engine.tasks.model import TaskState

_FILES_SHOWN, _PATHS_SHOWN, _LINES_SHOWN, _WIDTH_SHOWN = 1000, 20, 5000, 2000
_GLYPHS = {"ready": "✓", "applied": "✓", "error": "✗", "cancelled": "✗", "interrupted": "✗", "in_progress": "●"}


def exec_(options: argparse.Namespace) -> int:
    """Start a task; with --wait show its log until it has ended."""
    bench = Bench()
    prompt = sys.stdin.read() if options.prompt == "-" else options.prompt
    environment = bench.environments.load(options.env)
    ensure(bench, environment, options.env, agreed=options.trust, may_ask=options.prompt != "-")
    task = bench.tasks.start(
        environment,
        prompt,
        branch=options.branch,
        agent=options.agent,
        attempts=options.attempts,
        fork=options.alone,
    )
    return _started(bench, task, options)


def _started(bench: Bench, task: str, options: argparse.Namespace, *, after: int = 0) -> int:
    """Say which task goes on now; with --wait show its log after event number `after` until it has ended."""
    if options.json and not options.wait:
        print_json({"v": 1, "id": task})
    elif not options.json:
        print(task, flush=True)
    return wait(bench, task, quiet=options.json, after=after) if options.wait else 0


def follow_up(options: argparse.Namespace) -> int:
    """Ask the agent of an ended task for more; with --wait show the log of it until it has ended."""
    bench = Bench()
    prompt = sys.stdin.read() if options.prompt == "-" else options.prompt
    seen = bench.tasks.get(options.task).last_seq
    task = bench.tasks.follow_up(options.task, prompt, attempt=options.attempt, fork=options.alone)
    return _started(bench, task, options, after=seen)


def collect(options: argparse.Namespace) -> int:
    """Bring out the files of an interrupted attempt; with --wait show the log of it."""
    bench = Bench()
    seen = bench.tasks.get(options.task).last_seq
    task = bench.tasks.collect(options.task, attempt=options.attempt, fork=options.alone)
    return _started(bench, task, options, after=seen)


def replay(options: argparse.Namespace) -> int:
    """Play a recording as a new task, or with --save write one down; with --wait show its log until it has ended."""
    bench = Bench()
    if options.save:
        size = bench.tasks.save_recording(options.recording, Path(options.save))
        if options.json:
            print_json({"v": 1, "path": options.save, "bytes": size})
        else:
            say(f"{options.save}: {size:,} bytes written; it holds all that the log shows")
        return 0
    task = bench.tasks.replay(options.recording, speed=options.speed, fork=options.alone)
    if options.json and not options.wait:
        print_json({"v": 1, "id": task})
    elif not options.json:
        print(task, flush=True)
    return wait(bench, task, quiet=options.json) if options.wait else 0


def wait(bench: Bench, task: str, *, quiet: bool = False, after: int = 0) -> int:
    """Show a task's log, after event number `after`, until its end.

    Returns 0 completed, 1 failed, 130 cancelled or left with ctrl-c.
    """
    try:
        _show(bench, task, follow=True, quiet=quiet, after=after)
    except KeyboardInterrupt:
        progress(f"\nthe task goes on: fumehood logs -f {task}")
        return 130
    state = bench.tasks.get(task)
    if quiet:
        print_json(_status_json(state))
    else:
        for attempt in state.attempts:
            if attempt.answer:
                say(f"\n{attempt.answer}" if state.attempts[1:] == [] else f"\n[{attempt.number}] {attempt.answer}")
    return {"ready": 0, "applied": 0, "cancelled": 130}.get(state.status, 1)


def _show(bench: Bench, task: str, *, follow: bool, quiet: bool = False, after: int = 0) -> None:
    from tui.present.plain import PlainLog, colour_wanted

    log = PlainLog(colour=colour_wanted())
    for event in bench.tasks.events(task, follow=follow):
        if not quiet and event.seq > after:
            for line in log.lines(event):
                print(line)
            sys.stdout.flush()


def _status_json(state: TaskState, *, answers: bool = True) -> dict[str, object]:
    from engine.tasks.model import status_json

    return status_json(state, answers=answers)


def status(options: argparse.Namespace) -> int:
    """The state of a task; exit code 1 unless it is ready or applied."""
    state = Bench().tasks.get(options.task)
    if options.json:
        print_json(_status_json(state))
    else:
        _print_status(state)
    return 0 if state.status in ("ready", "applied") else 1


def _print_status(state: TaskState) -> None:
    say(f"{_GLYPHS.get(state.status, '○')} {state.id}  {state.status}  {state.prompt.splitlines()[0]}")
    where = f" · {state.branch or 'detached'}@{state.base_sha[:9]}" if state.base_sha else ""
    say(f"  environment  {state.environment}{where} · agent {state.agent}")
    if state.cache:
        say(f"  cache        {state.cache.result}: {state.cache.reason}")
    if state.network_mode:
        proven = {True: "proven", False: "NOT proven", None: "not proven yet"}[state.network_proven]
        lost = " · network lost" if state.network_lost else ""
        say(f"  network      {state.network_mode}, {proven} · {state.network_denied} denied{lost}")
    for phase in state.phases:
        why = f"  {phase.reason}" if phase.reason else ""
        say(f"  {phase.name:<12} {phase.status:<8} {phase.seconds:7.2f}s{why}")
    for turn in state.turns[1:]:
        say(f"  turn {turn.number}       {turn.status} · {turn.prompt.splitlines()[0]}")
    for attempt in state.attempts:
        diff = attempt.diff
        size = f"{diff.files_changed} files +{diff.lines_added} −{diff.lines_removed}"
        picked = " · picked" if attempt.number == state.picked else ""
        say(f"  attempt {attempt.number}    {attempt.status} · {attempt.commands} commands · {size}{picked}")
    for event in state.published:
        what = event.url or event.sha[:12]
        say(f"  published    {event.branch} → {event.remote} · {what}")
    if state.error:
        code = f" (exit code {state.error.exit_code})" if state.error.exit_code is not None else ""
        say(f"  error        {state.error.phase}: {state.error.message}{code}")
        for line in (state.error.tail or state.error.hint).splitlines():
            say(f"    {line}")
    for attempt in state.attempts:
        if attempt.answer:
            say("")
            for line in attempt.answer.splitlines():
                say(line)


def list_(options: argparse.Namespace) -> int:
    """Tasks, newest first, a page at a time."""
    if not 1 <= options.limit <= 1000:
        raise UsageError(f"--limit {options.limit} is out of range", "use 1 to 1000")
    states = [s for s in Bench().tasks.list() if options.env in ("", s.environment, s.environment_path)]
    if options.cursor:
        ids = [state.id for state in states]
        if options.cursor not in ids:
            raise UsageError(f"unknown cursor {options.cursor!r}", "use the one the last page gave")
        states = states[ids.index(options.cursor) + 1 :]
    page, more = states[: options.limit], len(states) > options.limit
    cursor = page[-1].id if more else None
    if options.json:
        print_json({"v": 1, "tasks": [_status_json(s, answers=False) for s in page], "cursor": cursor})
        return 0
    if not page:
        say('no tasks yet: fumehood exec "what to do" starts one')
        return 0
    table(("TASK", "STATUS", "AGE", "DIFF", "ENVIRONMENT", "PROMPT"), [_row(state) for state in page])
    if cursor:
        progress(f"more: fumehood list --cursor {cursor}")
    return 0


def _row(state: TaskState) -> tuple[str, ...]:
    from engine.durations import words

    diff = state.attempts[state.chosen - 1].diff if state.attempts else None
    size = f"+{diff.lines_added} −{diff.lines_removed}" if diff and diff.files_changed else ""
    glyph = _GLYPHS.get(state.status, "○")
    prompt = state.prompt.splitlines()[0][:60]
    age = words(time.time() - state.created_at)
    return (state.id, f"{glyph} {state.status}", age, size, state.environment, prompt)


def logs(options: argparse.Namespace) -> int:
    """A task's log: for people, as JSON events, or the raw output of its commands."""
    bench = Bench()
    task = bench.tasks.folder(options.task).name
    if options.json:
        from engine.tasks.journal import plain

        for event in bench.tasks.events(task, follow=options.follow):
            print_json(plain(event))
            sys.stdout.flush()
        return 0
    if options.raw:
        for event in bench.tasks.events(task, follow=options.follow):
            _write_raw(bench, task, event)
        return 0
    try:
        _show(bench, task, follow=options.follow)
    except KeyboardInterrupt:
        return 130
    return 0


def _write_raw(bench: Bench, task: str, event: object) -> None:
    from engine.tasks.events import CommandOutput
    from engine.tasks.journal import output_path

    if isinstance(event, CommandOutput):
        with output_path(bench.tasks.folder(task), event.id).open("rb") as file:
            file.seek(event.offset)
            sys.stdout.buffer.write(file.read(event.size))
        sys.stdout.buffer.flush()


def diff(options: argparse.Namespace) -> int:
    """A task's diff on standard output, byte for byte as `git apply` takes it."""
    bench = Bench()
    patch = bench.results.diff(options.task, options.attempt, options.turn)
    if not options.stat:
        if sys.stdout.isatty():
            return _show_patch(patch)
        sys.stdout.buffer.write(patch)
        sys.stdout.buffer.flush()
        return 0
    stat = bench.results.stat(options.task, options.attempt, options.turn)
    if options.json:
        print_json({"v": 1, "files": [{"path": f.path, "added": f.added, "removed": f.removed} for f in stat.files]})
        return 0
    shown = stat.files[:_FILES_SHOWN]
    table(("", "FILE", "+", "−"), [(f.status, f.path, str(f.added), str(f.removed)) for f in shown])
    if len(shown) < len(stat.files):
        progress(f"{len(shown)} of {len(stat.files)} files shown; --json has them all")
    return 0


def _show_patch(patch: bytes) -> int:
    """A patch for people: cleaned, as a terminal would obey what is in it, and no more of it than one reads."""
    lines = patch.removesuffix(b"\n").split(b"\n") if patch else []
    for line in lines[:_LINES_SHOWN]:
        say(line[:_WIDTH_SHOWN].decode("utf-8", "backslashreplace"))
    if len(lines) > _LINES_SHOWN:
        progress(f"{_LINES_SHOWN:,} of {len(lines):,} lines shown; in a pipe or a file, it is whole")
    return 0


def apply(options: argparse.Namespace) -> int:
    """Apply a task's diff to the checkout its environment names."""
    outcome = Bench().results.apply(options.task, options.attempt, preflight=options.preflight, force=options.force)
    if options.json:
        print_json(
            {
                "v": 1,
                "applied": outcome.applied,
                "status": outcome.status,
                "message": outcome.message,
                "skipped_paths": list(outcome.skipped_paths),
                "conflict_paths": list(outcome.conflict_paths),
                "dirty_paths": list(outcome.dirty_paths),
            }
        )
    else:
        say(outcome.message)
        what = "conflict" if outcome.status == "partial" else "not committed" if outcome.dirty_paths else "does not fit"
        _list(what, outcome.conflict_paths)
        _list("left alone", outcome.skipped_paths)
    return 0 if outcome.status == "success" else 1


def remove(options: argparse.Namespace) -> int:
    """Remove tasks, or bring them back; stops at the first that cannot be."""
    bench = Bench()
    for task in options.tasks:
        done = bench.tasks.bring_back(task) if options.undo else bench.tasks.remove(task, for_good=options.for_good)
        if options.json:
            print_json({"v": 1, "id": done, "removed": not options.undo})
        elif options.undo:
            say(f"{done} is back")
        else:
            say(f"{done} removed" + ("" if options.for_good else f"; for an hour: fumehood rm --undo {done}"))
    return 0


def _list(what: str, paths: Sequence[str]) -> None:
    from tui.present.text import one_name

    for path in paths[:_PATHS_SHOWN]:
        say(f"  {what}: {one_name(path)}")
    if len(paths) > _PATHS_SHOWN:
        say(f"  {what}: {_PATHS_SHOWN} of {len(paths)} files shown; --json has them all")


def cancel(options: argparse.Namespace) -> int:
    """Ask a task to end."""
    state = Bench().tasks.cancel(options.task)
    if options.json:
        print_json({"v": 1, "id": state.id, "cancelled": True})
    else:
        say(f"{state.id} is told to end")
    return 0
