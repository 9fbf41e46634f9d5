"""env init, check, list, schema."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from engine.bench import Bench
from engine.errors import UsageError
from tui.commands.output import print_json, say, table


def init(options: argparse.Namespace) -> int:
    """Write a fumehood.toml that fits the project."""
    from engine.environment.init import initial
    from engine.environment.model import FILE_NAME
    from tui.commands.imports import preferred, report_json, tell

    folder = Path(options.folder).resolve()
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder", "name the folder of the project")
    path = folder / FILE_NAME
    data = initial(folder)
    found = None if options.no_import else preferred(folder, data, path)
    Bench().write_environment(path, found.result.data if found else data, force=options.force)
    if options.json:
        print_json({"v": 1, "path": str(path), "imported": report_json(found) if found else None})
    else:
        if found:
            tell(found)
            say("  `fumehood init --force --no-import` leaves it out")
        say(f"wrote {path}")
        say(path.read_text())
        say(f'next: fumehood exec --env {options.folder} --wait "ls"')
    return 0


def check(options: argparse.Namespace) -> int:
    """Every problem of an environment file; exit code 2 when it cannot be used."""
    from engine.environment.find import find
    from engine.environment.load import check as problems_of

    path = find(options.env, Path.cwd())
    problems = problems_of(path)
    ok = not any(problem.severity == "error" for problem in problems)
    if options.json:
        shown = [
            {"path": p.path, "line": p.line, "key": p.key, "message": p.message, "hint": p.hint, "severity": p.severity}
            for p in problems
        ]
        print_json({"v": 1, "ok": ok, "problems": shown})
    else:
        for problem in problems:
            say(f"{problem.severity}: {problem.path}: {problem}")
            if problem.hint:
                say(f"  {problem.hint}")
        if ok:
            say(f"{path} is fine")
    return 0 if ok else 2


def list_(options: argparse.Namespace) -> int:
    """The environments within reach, the bad ones with their problems."""
    entries = Bench().environments()
    if options.json:
        shown = [{"name": e.name, "path": str(e.path), "ok": e.environment is not None} for e in entries]
        print_json({"v": 1, "environments": shown})
        return 0
    if not entries:
        say("no environment here: fumehood env init writes a fumehood.toml")
        return 0
    rows = [(e.name, str(e.path), "" if e.environment else "has problems") for e in entries]
    table(("ENVIRONMENT", "FILE", ""), rows)
    return 0


def schema(options: argparse.Namespace) -> int:
    """The JSON Schema of environment files, for editors."""
    from engine.environment.schema import json_schema

    print(json.dumps(json_schema(), indent=None if options.json else 2))
    return 0
