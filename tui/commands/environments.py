"""env init, check, list, schema."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.bench import Bench
from engine.errors import UsageError
from tui.commands.output import print_json, say, table

if TYPE_CHECKING:
    from engine.setup.effective import Effective
    from engine.setup.plan import Plan


def init(options: argparse.Namespace) -> int:
    """Write a fumehood.toml that fits the project."""
    from engine.environment.init import initial
    from engine.environment.model import FILE_NAME
    from engine.setup.plan import plan
    from engine.setup.tree import FolderTree
    from tui.commands.imports import preferred, report_json, tell

    folder = Path(options.folder).resolve()
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder", "name the folder of the project")
    path = folder / FILE_NAME
    data = initial(folder)
    found = None if options.no_import else preferred(folder, data, path)
    written = found.result.data if found else data
    Bench().environments.write(path, written, force=options.force)
    if options.json:
        print_json({"v": 1, "path": str(path), "imported": report_json(found) if found else None})
    else:
        if found:
            tell(found)
            say("  `fumehood init --force --no-import` leaves it out")
        say(f"wrote {path}")
        say(path.read_text())
        if written.get("setup", {}).get("auto"):
            _say_plan(plan(FolderTree(folder)))
        say(f'next: fumehood exec --env {options.folder} --wait "ls"')
    return 0


def _say_plan(plan: Plan) -> None:
    """What automatic setup does, for people."""
    for step in plan.steps:
        tests = f" · tests: {shlex.join(step.test)}" if step.test else ""
        say(f"{step.folder}: {step.manager}, by {', '.join(step.files)}{tests}")
    if plan.steps:
        say("automatic setup runs:")
    for line in plan.lines():
        say(f"  {line}")
    for one in plan.asked:
        say(f"{one.file} asks for {one.tool} {one.version}")
    for text in plan.notices:
        say(f"note: {text}")


def _plan_as_data(found: Effective) -> dict[str, Any]:
    assert found.plan is not None
    plan = found.plan
    return {
        "steps": [
            {"folder": s.folder, "manager": s.manager, "prepare": s.prepare, "install": s.commands, "files": s.files,
             "test": shlex.join(s.test)}
            for s in plan.steps
        ],
        "asked": [{"tool": one.tool, "version": one.version, "file": one.file} for one in plan.asked],
        "notices": plan.notices,
        "watch": found.watch,
        "setup_script": found.setup_script,
        "maintenance_script": found.maintenance_script,
    }  # fmt: skip


def _plan(path: Path, as_json: bool) -> int:
    bench = Bench()
    found = bench.environments.effective(bench.environments.load(str(path)))
    if as_json:
        print_json({"v": 1, "ok": True, "problems": [], "plan": _plan_as_data(found) if found.plan else None})
    elif found.plan is None:
        say(f"{path} does not want automatic setup: write auto = true below [setup]")
    else:
        _say_plan(found.plan)
        if not found.plan.steps:
            say("automatic setup finds nothing to install")
        if found.watch:
            say(f"maintenance watches: {', '.join(found.watch)}")
    return 0


def check(options: argparse.Namespace) -> int:
    """Every problem of an environment file; exit code 2 when it cannot be used."""
    from engine.environment.find import find
    from engine.environment.load import check as problems_of

    path = find(options.env, Path.cwd())
    problems = problems_of(path)
    ok = not any(problem.severity == "error" for problem in problems)
    if ok and options.plan:
        return _plan(path, options.json)
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
    entries = Bench().environments.list()
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
