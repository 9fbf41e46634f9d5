"""A service that runs beside the agent's commands, in the plain log and in the story of the task."""

from __future__ import annotations

from engine.tasks import events as ev
from tui.present.plain import PlainLog
from tui.present.story import Command, Story

EVENTS = (
    ev.CommandStarted(id="1", command="start script", phase="start"),
    ev.CommandOutput(id="1", stream="out", text="serving\nhalf a "),
    ev.CommandStarted(id="2", command="curl localhost"),
    ev.CommandOutput(id="1", stream="err", text="GET /\n"),
    ev.CommandOutput(id="2", stream="out", text="hello\n"),
    ev.CommandFinished(id="2", exit_code=0, duration=0.5, status="completed"),
    ev.CommandFinished(id="1", exit_code=None, duration=9, status="killed"),
)


def test_each_line_stands_under_its_command() -> None:
    log = PlainLog(colour=False)
    assert [line for event in EVENTS for line in log.lines(event)] == [
        "$ start script",
        "  │ serving",
        "  │ half a ",
        "$ curl localhost",
        "… start script",
        "  │ GET /",
        "… curl localhost",
        "  │ hello",
        "  exit 0 in 0.50s",
        "… start script",
        "  exit ? killed in 9.00s",
    ]


def test_a_service_that_ends_with_the_task_has_not_failed() -> None:
    story = Story()
    for event in EVENTS:
        story.apply(event)
    service, command = (block for block in story.blocks if isinstance(block, Command))
    assert (service.status, service.failed, command.failed) == ("killed", False, False)
    story.apply(ev.CommandStarted(id="3", command="start script", phase="start"))
    story.apply(ev.CommandFinished(id="3", exit_code=3, duration=1, status="failed"))
    assert [b.failed for b in story.blocks if isinstance(b, Command)] == [False, False, True]
