"""Nothing leaves that holds a known secret, nor, unless meant, what looks like one (SPEC S4, SECURITY-CASES S12)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.errors import EngineError, Unconfirmed
from engine.publish.wish import Publication, Publishable
from engine.repository import push as git
from engine.secrets.diff_scan import Finding, likely, scan_diff
from engine.secrets.masker import Masker
from engine.secrets.patterns import Patterns
from engine.secrets.secret import Secret

_LISTED = 5


def masked(words: str, values: Mapping[str, Secret]) -> str:
    """What an agent said was masked when it was said; a secret that was declared since is masked here."""
    return Masker(values).text(words)


def refuse_secrets(result: Publishable, whole: Publication, tip: str) -> None:
    """Look through all that a push of `tip` would send: each commit beyond the base, binary files, every text.

    Raises:
        EngineError: a known secret; Unconfirmed: something that looks like one.
    """
    base, patterns = result.state.base_sha, Patterns(result.values)
    texts = {"the branch's name": whole.branch, "the title": whole.title, "the body": whole.body or ""}
    if whole.commits:
        texts["a commit's message"] = git.messages(result.git_dir, base, tip).decode("utf-8", "replace")
    found = {finding for name, said in texts.items() for finding in _in_text(name, said, patterns)}
    if whole.commits:
        stored = patterns.search(git.commits(result.git_dir, base, tip))
        found.update(Finding("a commit", 0, f"secret {match.secret}", True) for match in stored)
    for old, new in git.changes(result.git_dir, base, tip):
        found.update(scan_diff(git.patch(result.git_dir, old, new), result.values))
        for path, content in git.binaries(result.git_dir, old, new):
            found.update(Finding(path, 0, f"secret {match.secret}", True) for match in patterns.search(content))
    refuse(found, result.state.id, likely_too=not whole.allow_likely_secrets)


def refuse(found: Iterable[Finding], task: str, *, likely_too: bool) -> None:
    """Refuse what was found.

    Raises:
        EngineError: it holds a known secret; Unconfirmed: with `likely_too`, something looks like one.
    """
    listed = sorted(found)
    known = [finding for finding in listed if finding.known]
    if known:
        raise EngineError(f"the diff holds secrets: {_words(known)}", f"look at it: fumehood diff {task}")
    if listed and likely_too:
        raise Unconfirmed(f"there may be secrets in it: {_words(listed)}", "allow_likely_secrets")


def _in_text(name: str, said: str, patterns: Patterns) -> Iterable[Finding]:
    data = said.encode("utf-8", "replace")
    yield from (Finding(name, 0, f"secret {match.secret}", True) for match in patterns.search(data))
    for number, line in enumerate(data.split(b"\n"), 1):
        if what := likely(line):
            yield Finding(name, number, what, False)


def _words(found: list[Finding]) -> str:
    def place(finding: Finding) -> str:
        return f"{finding.path} line {finding.line}" if finding.line else finding.path

    more = f", and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return ", ".join(f"{place(finding)} ({finding.what})" for finding in found[:_LISTED]) + more
