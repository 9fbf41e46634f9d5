"""Handing over a result: pushed as a branch, and as a pull request (SPEC T10, S4; SECURITY-CASES S10, S12).

Doing the same twice changes nothing the second time: the commit is made from the result, its text and the time it was
collected; a branch that is there already is left; of a branch there is at most one open request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from engine.errors import EngineError, ForgeError, Unconfirmed, UsageError
from engine.publish import forge, http, place, text, tokens
from engine.publish.check import masked, refuse_secrets
from engine.publish.forge import PullRequest
from engine.publish.wish import Publication, Publishable
from engine.repository import push as git
from engine.tasks.events import Published

Note: TypeAlias = Callable[[Published], None]
_NOTHING = "nothing new for"


class Outcome(Struct, frozen=True):
    """What became of it: one sentence for the user, what the journal says of it, and whether anything changed."""

    message: str
    event: Published
    news: bool


def filled(result: Publishable, wanted: Publication) -> Publication:
    """With defaults in the place of what is empty, but for `base`, which the remote has a say in.

    Raises:
        RepositoryError: there is no remote to push to.
    """
    answer = result.state.attempts[result.attempt - 1].answer
    title, body = text.proposed(result.state.prompt, answer)
    number = f"-{result.attempt}" if result.attempt > 1 else ""
    return replace(
        wanted,
        remote=git.remote(wanted.remote, result.source, result.cwd).url,
        branch=wanted.branch or f"fumehood/{result.state.id}{number}",
        title=wanted.title.strip() or masked(title, result.values),
        body=masked(body, result.values) if wanted.body is None else wanted.body.strip(),
    )


def push(result: Publishable, wanted: Publication, note: Note) -> Outcome:
    """Let a branch of the remote be the result.

    Args:
        note: writes down what was published, as soon as it is.

    Raises:
        Unconfirmed: it is the default branch, holds commits of others, or something looks like a secret.
        EngineError: a known secret would leave; RepositoryError: the remote cannot be reached or refuses.
    """
    return _pushed(result, wanted, filled(result, wanted), note)


def pull_request(result: Publishable, wanted: Publication, note: Note) -> Outcome:
    """Push, then open a request, or bring the one that is open up to date.

    Of an open request, title and base are changed when they are given; the body also when it still is what was sent
    last: what people wrote there stays.

    Raises:
        EngineError: as `push`; ForgeError: there is no token, or the forge refuses.
    """
    whole = filled(result, wanted)
    address = place.address(git.address(result.git_dir, whole.remote), place.ssh_host)
    where = place.place(address, wanted.forge, http.answers_as)
    desk = forge.forge(where, tokens.token(where))
    base = _base(result, wanted, whole)
    pushed = _pushed(result, wanted, whole, note)
    try:
        made, what, body = _requested(result, wanted, whole, base, desk)
    except ForgeError as error:
        hint = f"the branch {whole.branch} is pushed" + (f"; {error.hint}" if error.hint else "")
        raise ForgeError(error.message, hint) from error
    event = msgspec.structs.replace(
        pushed.event, url=made.url, number=made.number, forge=where.kind, body_digest=_digest(body)
    )
    news = pushed.news or what != _NOTHING or event.url != pushed.event.url
    if event != pushed.event:
        note(event)
    name = f"merge request !{made.number}" if where.kind == "gitlab" else f"pull request #{made.number}"
    said = "pushed to" if what == _NOTHING and pushed.news else what
    return Outcome(f"{said} {name}: {made.url}", event, news)


def _base(result: Publishable, wanted: Publication, whole: Publication) -> str:
    """The branch that a request goes into."""
    own = wanted.base or result.state.branch
    seen = git.look(result.git_dir, whole.remote, [name for name in (whole.branch, own) if name])
    base = own if wanted.base or own in seen.branches else seen.default_branch
    if base not in seen.branches and base != seen.default_branch:
        raise UsageError(f"{whole.remote} has no branch {base!r} to go into", "name one that is there: --base BRANCH")
    if not base:
        raise UsageError(f"{whole.remote} has no branch to go into yet", "push one there first")
    if base == whole.branch:
        raise UsageError(f"the request would go from {base!r} into itself", "choose another --branch or --base")
    return base


def _requested(
    result: Publishable, wanted: Publication, whole: Publication, base: str, desk: forge.Forge
) -> tuple[PullRequest, str, str]:
    """The open request, what was done to it, and the body that was sent last."""
    body = whole.body or ""
    open_now = desk.find(whole.branch)
    if open_now is None:
        try:
            return desk.create(whole.branch, base, whole.title, body, draft=wanted.draft), "opened", body
        except http.Refused as refused:
            # Somebody may have opened it at the same moment.
            open_now = desk.find(whole.branch) if refused.status in (409, 422) else None
            if open_now is None:
                raise
    last = _last(result, whole)
    changes = _changes(open_now, wanted, body, last)
    if not changes:
        return open_now, _NOTHING, open_now.body
    made = desk.update(open_now, changes)
    return made, f"updated {', '.join(changes)} of", body if "body" in changes else open_now.body


def _pushed(result: Publishable, wanted: Publication, whole: Publication, note: Note) -> Outcome:
    git.check_branch(whole.branch)
    if git.same_files(result.git_dir, result.state.base_sha, result.sha):
        nothing = f"attempt {result.attempt} of task {result.state.id} changed nothing"
        raise EngineError(nothing, "there is nothing to push")
    last = _last(result, whole)
    sha = _tip(result, wanted, whole, last)
    refuse_secrets(result, whole, sha)
    seen = git.look(result.git_dir, whole.remote, [whole.branch])
    there = seen.branches.get(whole.branch, "")
    if there and whole.branch == seen.default_branch and not whole.allow_default_branch:
        raise Unconfirmed(f"{whole.branch} is the default branch of {whole.remote}", "allow_default_branch")
    ours = there in ("", sha) or (last is not None and last.sha == there) or git.follows(result.git_dir, there, sha)
    if not ours and not whole.force_with_lease:
        what = f"branch {whole.branch} of {whole.remote} holds {there[:12]}, which this task did not push"
        raise Unconfirmed(what, "force_with_lease")
    if there != sha:
        git.push(result.git_dir, whole.remote, sha, whole.branch, expected=there)
    was = last or Published(remote=whole.remote, branch=whole.branch, sha="")
    event = msgspec.structs.replace(was, run=result.attempt, sha=sha)
    if event != was:
        note(event)
    what = "is there already" if there == sha else f"{'updated' if there else 'pushed'}: {sha[:12]}"
    return Outcome(f"{whole.branch} → {whole.remote}: {what}", event, event != was or there != sha)


def _tip(result: Publishable, wanted: Publication, whole: Publication, last: Published | None) -> str:
    """The commit to push: of the agent, the one that was pushed before when nothing else is wanted, or a new one."""
    base = result.state.base_sha
    if whole.commits:
        return result.sha
    if last and not wanted.title and wanted.body is None and git.carries(result.git_dir, last.sha, base, result.sha):
        return last.sha
    who, message = git.author(result.checkout), text.message(whole.title, whole.body or "")
    return git.one_commit(result.git_dir, base, result.sha, message, who, result.collected_at)


def _changes(open_now: PullRequest, wanted: Publication, body: str, last: Published | None) -> dict[str, str]:
    """What to change of an open request."""
    untouched = last is not None and last.body_digest == _digest(open_now.body)
    changes = {}
    if wanted.title and wanted.title.strip() != open_now.title:
        changes["title"] = wanted.title.strip()
    if (wanted.body is not None or untouched) and _same(body) != _same(open_now.body):
        changes["body"] = body
    if wanted.base and wanted.base != open_now.base:
        changes["base"] = wanted.base
    return changes


def _last(result: Publishable, whole: Publication) -> Published | None:
    """What this task published there before."""
    return next((p for p in result.state.published if (p.remote, p.branch) == (whole.remote, whole.branch)), None)


def _same(body: str) -> str:
    """A body as it compares: forges end lines in their own way."""
    return body.replace("\r\n", "\n").strip()


def _digest(body: str) -> str:
    return hashlib.sha256(_same(body).encode("utf-8", "replace")).hexdigest()[:16]
