"""secret set, list, rm."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from engine.bench import Bench
from engine.errors import EngineError, UsageError
from tui.commands.output import print_json, progress, say, table


def set_(options: argparse.Namespace) -> int:
    """Keep a value, from a prompt without echo, from standard input or from a file."""
    bench = Bench()
    environment = bench.environments.load(options.env)
    warnings = bench.secrets.set(environment, options.name, _value(options))
    if options.json:
        print_json({"v": 1, "environment": environment.name, "name": options.name, "warnings": warnings})
        return 0
    for warning in warnings:
        progress(f"warning: {warning}")
    say(f"{options.name} of {environment.name} is set; the next start sets the environment up again")
    return 0


def list_(options: argparse.Namespace) -> int:
    """The secrets of an environment: declared or not, and when they were set."""
    bench = Bench()
    environment = bench.environments.load(options.env)
    entries = bench.secrets.list(environment)
    if options.json:
        shown = [{"name": e.name, "declared": e.declared, "set_at": e.set_at} for e in entries]
        print_json({"v": 1, "environment": environment.name, "secrets": shown})
        return 0
    if not entries:
        say(f"{environment.name} has no secrets: write NAME = {{}} under [secrets] in {environment.path}")
        return 0
    rows = [(e.name, _when(e.set_at), "" if e.declared else "not declared in the file") for e in entries]
    table(("SECRET", "SET", ""), rows)
    return 0


def remove(options: argparse.Namespace) -> int:
    """Forget a value."""
    bench = Bench()
    environment = bench.environments.load(options.env)
    bench.secrets.remove(environment, options.name)
    if options.json:
        print_json({"v": 1, "environment": environment.name, "name": options.name})
    else:
        say(f"{options.name} of {environment.name} is removed")
    return 0


def _when(set_at: float | None) -> str:
    return "no value yet" if set_at is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(set_at))


def _value(options: argparse.Namespace) -> bytes:
    """The value, less one newline at its end."""
    if options.source not in ("", "-"):
        raise UsageError(
            "a value is not taken from the command line, where other users and the shell's history see it",
            f"run `fumehood secret set {options.name}` and type it, or pipe it and write - in its place",
        )
    if options.file and options.source:
        raise UsageError("the value can come from --file or from standard input, not both", "leave one out")
    if options.file:
        try:
            value = Path(options.file).expanduser().read_bytes()
        except OSError as error:
            raise EngineError(
                f"cannot read {options.file}: {error.strerror}", "name a file that you can read"
            ) from error
    elif options.source == "-":
        value = sys.stdin.buffer.read()
    else:
        return _asked(options.name)
    return value.removesuffix(b"\n").removesuffix(b"\r")


def _asked(name: str) -> bytes:
    if not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask for the value on", f"pipe it: … | fumehood secret set {name} -; or use --file"
        )
    from getpass import getpass

    return getpass(f"value of {name}: ").encode("utf-8", "surrogateescape")
