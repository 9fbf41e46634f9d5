"""push, pr, export: results handed over (SPEC T10)."""

from __future__ import annotations

import argparse
import shlex
import tempfile
from pathlib import Path

from msgspec.structs import replace

from engine.bench import Bench
from engine.errors import UsageError
from engine.publish import text
from engine.publish.wish import Publication
from tui.commands.output import print_json, say
from tui.present.text import clean

_CUT = "# ------------------------ >8 ------------------------"


def push(options: argparse.Namespace) -> int:
    """Push a task's result as a branch."""
    title, body = text.split(options.message)
    return _publish(options, _wanted(options, title, body if title else None), request=False)


def pull_request(options: argparse.Namespace) -> int:
    """Push, and open or update a pull request."""
    wanted = _wanted(options, options.title, options.body)
    wanted = replace(wanted, base=options.base, draft=options.draft, forge=options.forge)
    return _publish(options, wanted, request=True)


def _wanted(options: argparse.Namespace, title: str, body: str | None) -> Publication:
    return Publication(
        remote=options.remote,
        branch=options.branch,
        title=title,
        body=body,
        commits=options.commits,
        force_with_lease=options.force_with_lease,
        allow_default_branch=options.allow_default_branch,
        allow_likely_secrets=options.allow_likely_secrets,
    )


def _publish(options: argparse.Namespace, wanted: Publication, *, request: bool) -> int:
    desk = Bench().publishing
    if options.edit:
        wanted = edited(wanted, desk.plan(options.task, wanted, options.attempt))
    do = desk.pull_request if request else desk.push
    outcome = do(options.task, wanted, options.attempt)
    event = outcome.event
    if options.json:
        told = {
            "remote": event.remote,
            "branch": event.branch,
            "sha": event.sha,
            "url": event.url,
            "number": event.number,
        }
        print_json({"v": 1, "message": outcome.message, "changed": outcome.news, **told})
    else:
        say(outcome.message)
    return 0


def edited(wanted: Publication, plan: Publication) -> Publication:
    """With title and body as the user leaves them in an editor; what is invisible in the answer is shown there.

    Raises:
        UsageError: nothing is left; EngineError: the editor does not start.
    """
    from tui.editor import edit

    said = clean(text.message(plan.title, plan.body or ""))
    about = f"{_CUT}\n# This line and all below it are left out. The first line is the title.\n"
    with tempfile.TemporaryDirectory(prefix="fumehood-") as folder:
        path = Path(folder) / "MESSAGE.md"
        path.write_text(f"{said}\n{about}# {plan.branch} → {clean(plan.remote)}\n", "utf-8")
        code = edit(path)
        title, body = text.split(path.read_text("utf-8", "replace").partition(_CUT)[0])
    if code or not title:
        raise UsageError("nothing is published: " + ("the editor failed" if code else "the text is empty"))
    return replace(wanted, title=title, body=body)


def export(options: argparse.Namespace) -> int:
    """Hand a result over as a file, or say where git can fetch it."""
    bench = Bench()
    if options.patch:
        said = bench.results.export(options.task, Path(options.patch), options.attempt)
        told: dict[str, object] = {"patch": options.patch}
    elif options.bundle:
        said = bench.publishing.bundle(options.task, Path(options.bundle), options.attempt)
        told = {"bundle": options.bundle, "fetch": said}
    else:
        repository, ref = bench.publishing.ref(options.task, options.attempt)
        said, told = shlex.join(("git", "fetch", str(repository), ref)), {"repository": str(repository), "ref": ref}
    if options.json:
        print_json({"v": 1, **told})
    else:
        say(said)
    return 0
