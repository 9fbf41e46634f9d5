"""What an agent is told of the earlier turns of a task when its own session of them cannot be taken up (SPEC T5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from engine.agents.base import Job
from engine.tasks import events as ev

if TYPE_CHECKING:
    from engine.tasks.model import TaskState

NEVER_BEGUN = "it had not begun one"
# Characters kept of a prompt, of an answer, of the diff; of all together.
_PROMPT, _ANSWER, _DIFF, _ALL = 2000, 4000, 12_000, 40_000


class Anew(NamedTuple):
    """A turn that begins without the earlier ones: what to ask the agent, and what to tell the user."""

    prompt: str
    notice: ev.Notice


def summary(state: TaskState, attempt: int, patch: str) -> str:
    """Prompts and answers of an attempt so far, and what it changed; empty when there were none."""
    turns = [turn for turn in state.turns if turn.number == 1 or turn.attempt == attempt]
    if not turns or not 1 <= attempt <= len(state.attempts):
        return ""
    mine = state.attempts[attempt - 1]
    told = []
    for turn in turns:
        # The first prompt went to all attempts, and the turn has the answer of one of them.
        own = turn.attempt == attempt
        answer, status = (turn.answer, turn.status) if own else (mine.answer, mine.status)
        ended = "" if status == "completed" else f' ended="{status}"'
        answered = _cut(answer, _ANSWER) if own or mine.turns == 1 else ""
        told.append(f"<prompt>\n{_cut(turn.prompt, _PROMPT)}\n</prompt>\n<answer{ended}>\n{answered}\n</answer>")
    while len(told) > 1 and sum(map(len, told)) > _ALL - _DIFF:
        del told[0]
    size = mine.diff
    changed = f"{size.files_changed} files changed, {size.lines_added} lines added, {size.lines_removed} removed"
    diff = f"<changes>\n{changed} so far; the work tree is as you left it.\n{_cut(patch, _DIFF)}\n</changes>"
    return "\n".join((*told, diff))


def anew(job: Job, why: str) -> Anew:
    """The prompt of a turn for an agent that remembers nothing, with a summary of what went before.

    Args:
        why: why its session cannot be taken up, in words.
    """
    if not job.before:
        text = f"the agent's session cannot be taken up ({why}): it begins a new one"
        return Anew(job.prompt, ev.Notice(level="warning", text=text))
    text = f"the agent's session cannot be taken up ({why}): it begins a new one, with a summary of the earlier turns"
    begun = (
        "You worked on this task before, in a session that is gone. What was asked, what you answered, what changed:"
    )
    return Anew(f"{begun}\n\n{job.before}\n\nNow:\n\n{job.prompt}", ev.Notice(level="warning", text=text))


def _cut(text: str, most: int) -> str:
    text = text.strip()
    return text if len(text) <= most else f"{text[:most]}\n[… {len(text) - most} characters are left out]"
