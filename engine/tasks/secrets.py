"""Secrets in a task: given to setup by its exec environment only, masked in all it prints, looked for in all it leaves.

The container of setup is committed and destroyed; agents start in another one, which never held them (SPEC S2, T1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.containers.container import Container
from engine.errors import PhaseFailed
from engine.tasks import events as ev
from engine.tasks.scripts import HOME
from engine.tasks.work import Work

if TYPE_CHECKING:
    from engine.environment.model import Environment
    from engine.secrets.scan import Leak
    from engine.secrets.secret import Secret

_MARK = f"{HOME}/before"


def secret_values(environment: Environment) -> Mapping[str, Secret]:
    """The values of the secrets an environment declares, by name; decrypted here and nowhere else.

    Raises:
        UsageError: one has no value; EngineError: the store cannot be read.
    """
    if not environment.secrets:
        return {}
    from engine.secrets.store import Store

    return Store(environment).values(environment.secrets)


def given(work: Work, phase: ev.Phase) -> dict[str, str]:
    """The secrets that a phase's script gets in its environment.

    Setup gets all but network secrets, which no container ever holds (SPEC N5); maintenance those that say so.
    """
    return {
        name: value.reveal().decode()
        for name, value in work.secrets.items()
        if not work.environment.secrets[name].hosts and (phase == "setup" or work.environment.secrets[name].maintenance)
    }


@contextmanager
def nothing_left_behind(work: Work, container: Container, phase: ev.Phase) -> Iterator[None]:
    """Look for the secrets of `phase` in every file that changed in the block (SPEC C7).

    Raises:
        PhaseFailed: one is in a file that the environment does not accept it in.
    """
    names = given(work, phase)
    if not names:
        yield
        return
    from engine.secrets.scan import MARK, scan_changes

    marked = container.bash(MARK, _MARK)
    if marked.exit_code:
        raise PhaseFailed(phase, f"changes cannot be watched: {marked.err.decode('utf-8', 'replace').strip()}")
    yield
    values = {name: work.secrets[name] for name in names}
    found = scan_changes(container, values, since=_MARK, stop=work.stop.event)
    leaks = [leak for leak in found if not _accepted(work, leak)]
    work.stop.check()
    if leaks:
        listed = "\n".join(f"{leak.path}: secret {leak.secret} ({leak.form})" for leak in leaks)
        text = f"{phase} left secrets in {len(leaks)} file{'s' * (len(leaks) != 1)}: an agent could read them"
        first = leaks[0]
        hint = "let the script remove them, or accept the file: "
        hint += f'[secrets] {first.secret} = {{ accept = ["{first.path}"] }}'
        raise PhaseFailed(phase, f"{text}\n{hint}", tail=listed)


def _accepted(work: Work, leak: Leak) -> bool:
    return leak.path in work.environment.secrets[leak.secret].accept
