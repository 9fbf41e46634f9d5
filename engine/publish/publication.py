"""Handing over a result: pushed as a branch, and as a pull request (SPEC T10, S4; SECURITY-CASES S10, S12).

Doing the same twice changes nothing the second time: the commit is made from the result, its text and the time it was
collected; a branch that is there already is left; of a branch there is at most one open request.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from engine.errors import EngineError, Unconfirmed, UsageError
from engine.publish import forge, http, place, text, tokens
from engine.publish.check import masked, refuse_secrets
from engine.publish.forge import PullRequest
from engine.publish.wish import Publication, Publishable
from engine.repository import push as git
from engine.tasks.events import Published


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it: one sentence for the user, and what goes into the journal when that is news."""

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


def push(result: Publishable, wanted: Publication) -> Outcome:
    """Let a branch of the remote be the result.

    Raises:
        Unconfirmed: it is the default branch, holds commits of others, or something looks like a secret.
        EngineError: a known secret would leave; RepositoryError: the remote cannot be reached or refuses.
    """
    return _pushed(result, filled(result, wanted))


def pull_request(result: Publishable, wanted: Publication) -> Outcome:
    """Push, then open a request, or bring the one that is open up to date.

    Of an open request, title and base are changed when they are given; the body also when it still is what was sent
    last: what people wrote there stays.

    Raises:
        EngineError: as `push`; ForgeError: there is no token, or the forge refuses.
    """
    whole = filled(result, wanted)
    address = place.address(git.address(result.git_dir, whole.remote), place.ssh_host)
    where = place.place(address, wanted.forge, http.answers_as)
    token = tokens.token(where)
    seen = git.look(
        result.git_dir, whole.remote, [name for name in (whole.branch, wanted.base or result.state.branch) if name]
    )
    base = wanted.base or (result.state.branch if result.state.branch in seen.branches else seen.default_branch)
    if not base or (wanted.base and wanted.base not in seen.branches):
        raise UsageError(f"{whole.remote} has no branch {base!r} to go into", "name one that is there: --base BRANCH")
    if base == whole.branch:
        raise UsageError(f"the request would go from {base!r} into itself", "choose another --branch or --base")
    pushed = _pushed(result, whole)
    desk = forge.forge(where, token)
    open_now = desk.find(whole.branch)
    body = whole.body or ""
    if open_now is None:
        try:
            made = desk.create(whole.branch, base, whole.title, body, draft=wanted.draft)
            return _requested(
                pushed, made, where.kind, body, f"opened {_name(where.kind, made.number)}: {made.url}", news=True
            )
        except http.Refused as refused:
            # Somebody may have opened it at the same moment.
            open_now = desk.find(whole.branch) if refused.status in (409, 422) else None
            if open_now is None:
                raise
    changes = _changes(open_now, wanted, body, _last(result, whole))
    made = desk.update(open_now.number, changes) if changes else open_now
    what = f"updated {', '.join(changes)} of" if changes else "pushed to" if pushed.news else "nothing new for"
    said = f"{what} {_name(where.kind, made.number)}: {made.url}"
    sent = body if "body" in changes else _same(open_now.body)
    return _requested(pushed, made, where.kind, sent, said, news=pushed.news or bool(changes))


def _pushed(result: Publishable, whole: Publication) -> Outcome:
    git.check_branch(whole.branch)
    base = result.state.base_sha
    if git.same_files(result.git_dir, base, result.sha):
        raise EngineError(
            f"attempt {result.attempt} of task {result.state.id} changed nothing", "there is nothing to push"
        )
    if whole.commits:
        sha = result.sha
    else:
        message = text.message(whole.title, whole.body or "")
        sha = git.one_commit(
            result.git_dir, base, result.sha, message, git.author(result.checkout), result.collected_at
        )
    refuse_secrets(result, whole, sha)
    seen = git.look(result.git_dir, whole.remote, [whole.branch])
    there = seen.branches.get(whole.branch, "")
    told = whole.allow_default_branch
    if whole.branch == seen.default_branch and there and not told:
        raise Unconfirmed(f"{whole.branch} is the default branch of {whole.remote}", "allow_default_branch")
    last = _last(result, whole)
    ours = last is not None and last.sha == there
    if (
        there
        and there != sha
        and not ours
        and not whole.force_with_lease
        and not git.follows(result.git_dir, there, sha)
    ):
        raise Unconfirmed(
            f"branch {whole.branch} of {whole.remote} holds {there[:12]}, which this task did not push",
            "force_with_lease",
        )
    if there != sha:
        git.push(result.git_dir, whole.remote, sha, whole.branch, expected=there)
    event = Published(run=result.attempt, remote=whole.remote, branch=whole.branch, sha=sha)
    if last is not None and last.url:
        event = Published(run=result.attempt, remote=whole.remote, branch=whole.branch, sha=sha, url=last.url,
                          number=last.number, forge=last.forge, body_digest=last.body_digest)  # fmt: skip
    what = "is there already" if there == sha else f"{'updated' if there else 'pushed'}: {sha[:12]}"
    return Outcome(f"{whole.branch} → {whole.remote}: {what}", event, there != sha or last is None)


def _requested(pushed: Outcome, made: PullRequest, kind: str, body: str, message: str, *, news: bool) -> Outcome:
    was = pushed.event
    event = Published(run=was.run, remote=was.remote, branch=was.branch, sha=was.sha, url=made.url,
                      number=made.number, forge=kind, body_digest=_digest(body))  # fmt: skip
    return Outcome(message, event, news or event.url != was.url)


def _changes(open_now: PullRequest, wanted: Publication, body: str, last: Published | None) -> dict[str, str]:
    """What to change of an open request."""
    untouched = last is not None and last.body_digest == _digest(_same(open_now.body))
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


def _name(kind: str, number: int) -> str:
    return f"merge request !{number}" if kind == "gitlab" else f"pull request #{number}"


def _prompt(result: Publishable) -> str:
    return result.state.prompt


def _same(body: str) -> str:
    """A body as it compares: forges end lines in their own way."""
    return body.replace("\r\n", "\n").strip()


def _digest(body: str) -> str:
    return hashlib.sha256(_same(body).encode("utf-8", "replace")).hexdigest()[:16]
