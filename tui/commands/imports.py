"""env import, and the importing of env init: environment files of other tools (SPEC E3)."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.bench import Bench
from engine.errors import EngineError
from tui.commands.output import print_json, progress, say

if TYPE_CHECKING:
    from engine.environment.importers.formats import Imported, Source


class Import(NamedTuple):
    """What was imported, what it came to, and what else could have been."""

    source: Source
    result: Imported
    others: list[Source]


def import_(options: argparse.Namespace) -> int:
    """Write an environment file from that of another tool, and say what became of each of its keys."""
    from engine.environment.importers.formats import choose, imported
    from engine.environment.init import initial
    from engine.environment.model import FILE_NAME

    source, others = choose(_absolute(options.path), options.format)
    path = _absolute(options.output) if options.output else source.folder / FILE_NAME
    done = Import(source, imported(source, initial(source.folder), path), others)
    Bench().environments.write(path, done.result.data, force=options.force)
    if options.json:
        print_json({"v": 1, "path": str(path), **report_json(done)})
    else:
        tell(done)
        say(f"wrote {path}")
        say(f"next: read it, then fumehood env check {path}")
    return 0


def preferred(folder: Path, initial: Mapping[str, Any], path: Path) -> Import | None:
    """The first source of a project that can be imported; of one that cannot, the reason is told."""
    from engine.environment.importers.formats import imported, sources

    found = sources(folder)
    for source in found:
        try:
            return Import(source, imported(source, initial, path), [other for other in found if other is not source])
        except EngineError as error:
            progress(f"not imported: {error}")
    return None


def tell(done: Import) -> None:
    """The report: what was taken over, then what was not, then what else could be imported."""
    say(f"imported {done.source} ({done.source.format.name}):")
    for line in sorted(done.result.report, key=lambda line: not line.target):
        say(f"  {line}")
    if not done.result.report:
        say("  it says nothing that an environment could hold")
    if done.others:
        say("also here: " + "; ".join(f"{other} (--from {other.format.name})" for other in done.others))


def report_json(done: Import) -> dict[str, object]:
    """The report for programs."""
    report = done.result.report
    return {
        "format": done.source.format.name,
        "files": [str(path) for path in done.source.paths],
        "mapped": [{"from": line.key, "to": line.target, "note": line.note} for line in report if line.target],
        "unmapped": [{"from": line.key, "reason": line.note} for line in report if not line.target],
        "also": [{"format": other.format.name, "files": [str(path) for path in other.paths]} for other in done.others],
    }


def _absolute(path: str) -> Path:
    return Path(os.path.normpath(Path.cwd() / os.path.expanduser(path)))  # noqa: PTH111
