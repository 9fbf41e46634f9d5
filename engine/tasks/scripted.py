"""Running one of an environment's own scripts in a container, recorded as a command of its phase."""

from __future__ import annotations

from collections.abc import Mapping

from engine.containers.container import Container
from engine.containers.execution import StreamName
from engine.errors import PhaseFailed
from engine.tasks.disk import watched
from engine.tasks.events import Phase
from engine.tasks.limits import limits_hit
from engine.tasks.scripts import HOME, RUN_SCRIPT
from engine.tasks.work import Work


def run_script(
    work: Work,
    container: Container,
    phase: Phase,
    script: str,
    *,
    run: int,
    timeout: float,
    env: Mapping[str, str],
) -> None:
    """Run `script` in a login shell in the work directory (SPEC E5, E6).

    Args:
        timeout: seconds; the phase fails when the script has not ended by then.
        env: variables for this script alone, beside those of the container.

    Raises:
        PhaseFailed: the script exited with another code than 0, its time was up (SPEC T3), or it filled its disk.
        Cancelled: the task was told to end.
    """
    path = f"{HOME}/{phase}.sh"
    name = work.recorder.command_started(f"{phase} script", cwd=work.workdir, phase=phase, run=run)

    def sink(stream: StreamName, data: bytes) -> None:
        work.recorder.output(name, stream, data)

    argv = ("bash", "-c", RUN_SCRIPT, "fumehood", path, work.workdir)
    text, shell = script.encode("utf-8", "surrogatepass"), {**env, "BASH_ENV": ""}
    try:
        with watched(work, container) as disk:
            ended = container.exec(argv, sink, stdin=text, env=shell, timeout=timeout, stop=disk)
    except BaseException:
        # Every command that began has an end, whatever took it away.
        work.recorder.command_finished(name, None)
        raise
    if ended.code is None:
        work.recorder.command_finished(name, None, "timeout" if ended.timed_out else "killed")
    else:
        work.recorder.command_finished(name, ended.code)
    work.stop.check()
    if disk.exceeded:
        container.restart()
        raise PhaseFailed(phase, f"the {phase} script {disk.exceeded}", None, work.recorder.last_lines(name))
    if ended.code != 0:
        late = f"the {phase} script did not end within {timeout:g} s"
        why = late if ended.timed_out else failure(work, container, phase, ended.code)
        raise PhaseFailed(phase, why, ended.code, work.recorder.last_lines(name))


def failure(work: Work, container: Container, phase: Phase, code: int | None) -> str:
    """What a script died of that ended with this exit code, in words."""
    outcome = "was killed (exit code 137)" if code == 137 else f"failed with exit code {code}"
    _, limits = limits_hit(work, container)
    return "; ".join(filter(None, (f"the {phase} script {outcome}", limits)))
