"""SECURITY-CASES T01 to T09 and T14: the real workbench in a terminal that keeps every byte, on text that attacks it."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.tasks import events as ev
from tests.screens import recorded
from tests.screens.terminal import WORKBENCH, Terminal, workbench

MARKUP = "[@click=app.quit()]see docs[/] [/nope] [link=http://x] [bold"
PAYLOADS = {
    "T01 clipboard": ("A\x1b]52;c;cHduZWQ=\x07B", [b"\x1b]52;c;cHduZWQ="]),
    "T02 title and CSI": ("\x1b]0;PWNED\x07\x1b[2J\x1b[1;1HPWNED", [b"\x1b]0;PWNED", b"\x1b[1;1HPWNED"]),
    "T03 DCS and queries": ("\x1bP$qm\x1b\\\x1b[6n\x1b[c", [b"\x1bP$qm", b"\x1b[c"]),
    "T04 8-bit C1": ("\x9b2J \x9d0;PWNED\x9c", ["\x9b".encode(), "\x9d".encode(), "\x9c".encode()]),
    "T05 markup": (MARKUP, [b"MarkupError", b"\x1b]8;"]),
    "T06 bidi": (
        "acc\u202eevil\u2066 zero\u200bwidth\U000e0041",
        ["\u202e".encode(), "\u200b".encode(), b"\xf3\xa0\x81\x81"],
    ),
    "T09 marks": ("e" + "\u0301" * 1000 + "👩\u200d👩\u200d👧 ﷽ 世界", ["\u0301".encode() * 5, "\u200d".encode()]),
    "bell and backspace": ("rm -rf /\x08\x08\x08ls\x07", [b"\x08", b"ls\x07"]),
}


def hostile(payload: str) -> None:
    """A task that has the payload in every place a screen shows."""
    raw = payload.encode("utf-8", "surrogatepass")
    task = recorded.Recording("aaaa22")
    task.begin(payload, environment=payload)
    task.at(0.2, ev.CacheDecision(result="hit", reason=payload, key=payload))
    task.at(0.5, ev.TaskBase(branch=payload, base_sha=payload))
    task.phase("maintenance", 0.7, 0, payload, "skipped")
    task.at(0.9, ev.PhaseStarted(phase="agent"))
    task.at(0.9, ev.RunStarted(agent=payload, prompt=payload))
    task.at(1, ev.Reasoning(text=payload))
    task.at(1, ev.Plan(items=[(payload, "pending")]))
    task.command(payload, 2, 1, raw + b"\n" + b"plain end of output\n", 1)
    task.at(3, ev.Message(text=payload))
    task.at(3, ev.FileChanged(path=payload, kind="add"))
    task.at(3, ev.ToolFinished(id=payload, ok=True, summary=payload))
    task.at(3, ev.Notice(level="warning", text=payload))
    task.at(3, ev.Error(text=payload, kind="agent", hint=payload))
    task.at(
        3, ev.NetworkRequest(phase="agent", host=payload, port=1, method=payload, decision="denied", reason=payload)
    )
    task.at(4, ev.Message(text=payload, final=True))
    name = payload.replace("\n", " ")
    task.patch(
        f"diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n@@ -1,2 +1,2 @@ {payload}\n {payload}\n-{payload}\n+x{payload}\n"
        .encode("utf-8", "surrogatepass")
    )  # fmt: skip
    task.end("ready", 5, payload)


@pytest.fixture
def opened() -> Iterator[list[Terminal]]:
    """Terminals that are closed after the test."""
    terminals: list[Terminal] = []
    yield terminals
    for terminal in terminals:
        terminal.close()


@pytest.mark.parametrize("name", PAYLOADS)
def test_no_control_sequence_of_data_reaches_the_terminal(name: str, opened: list[Terminal], project: Path) -> None:
    payload, forbidden = PAYLOADS[name]
    hostile(payload)
    terminal = workbench(columns=140, rows=60, answers=False)
    opened.append(terminal)
    terminal.until("1 file +1 −1")
    everywhere = ("1", "4", "g", "\x04", "G", "/", "e", "\r", "\x1b", "5", "?", "\x1b", "n", "\x1b", "a", "n", "+", "_")
    in_the_diff = (
        "]",
        "j",
        "j",
        "s",
        "W",
        "c",
        "x",
        "\x13",
        "C",
        "\x1b",
        "f",
        "\x1b",
        "/",
        "x",
        "\r",
        "t",
        "/",
        "a",
        "\r",
    )
    for key in (*everywhere, *in_the_diff):
        terminal.press(key)
        terminal.read(0.25)
    assert terminal.ended(seconds=0.1) is None
    for bytes_of_data in forbidden:
        assert bytes_of_data not in terminal.written, bytes_of_data
    assert b"Traceback" not in terminal.written
    # Ours, once: this terminal does not answer.
    assert terminal.written.count(b"\x1b[6n") <= 1
    # The last sequence may not have been read to its end.
    whole = re.sub(rb"\x1b(\[[0-9;]*)?\Z", b"", terminal.written)
    drawn = re.sub(rb"\x1b\[[0-9;:?<>=$]*[a-zA-Z]|\x1b\[\?\d+\$p|\x1b[=>]|\x1b\]22;\w+\x07", b"", whole)
    # What is left after Textual's own sequences is text; no escape sequence of any other kind was written.
    assert b"\x1b" not in drawn, re.findall(rb"\x1b.{0,20}", drawn)[:5]
    assert not re.search(rb"[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]", drawn)


def test_markup_is_shown_as_it_is_and_a_click_does_nothing(opened: list[Terminal], project: Path) -> None:
    hostile(MARKUP)
    terminal = workbench(columns=200, rows=60)
    opened.append(terminal)
    shown = terminal.until("1 file +1 −1")
    assert shown.count(MARKUP) >= 6
    for row, line in enumerate(shown.splitlines(), 1):
        column = line.find("see docs") + 2
        if column > 1:
            terminal.press(f"\x1b[<0;{column};{row}M\x1b[<0;{column};{row}m")
            terminal.read(0.1)
    assert terminal.ended(seconds=0.5) is None


def test_random_bytes_and_a_line_without_end(opened: list[Terminal], project: Path) -> None:
    task = recorded.Recording("aaaa22")
    task.begin("noise")
    task.command("head -c 300000 /dev/urandom", 1, 1, os.urandom(300_000) + b"\n", 1)
    task.command("tr", 2, 1, b"A" * 9_000_000, 1)
    task.end("ready", 5)
    terminal = workbench(columns=140, rows=50)
    opened.append(terminal)
    terminal.until("✓ ready")
    terminal.press("4")
    terminal.press("g")
    terminal.until("lines above")
    for _ in range(8):
        terminal.press("\x04")
        terminal.read(0.1)
    terminal.press("G")
    terminal.until("AAAAAAAA")
    terminal.press("k")
    terminal.until("G to the end")
    assert b"Traceback" not in terminal.written


def test_a_drawn_dialog_stays_in_the_log(opened: list[Terminal], project: Path) -> None:
    """T14: a copy of a dialog is output like any other, and what was overwritten is kept."""
    drawn = "╭─ Approve push? ─╮\r\n│   FAKE [y/N]    │\r\n╰─────────────────╯\n"
    overwritten = "".join(f"\rstep {number} of 100" for number in range(1, 101))
    task = recorded.Recording("aaaa22")
    task.begin("draw")
    task.command("./draw", 1, 1, f"{overwritten}\n\x1b[H{drawn}".encode(), 1)
    task.end("ready", 5)
    terminal = workbench(columns=140, rows=50)
    opened.append(terminal)
    shown = terminal.until("FAKE [y/N]")
    assert "step 100 of 100" in shown
    assert "step 99 of" not in shown
    log = next(line.index("4 Log") for line in shown.splitlines() if "4 Log" in line)
    for part in ("Approve push?", "FAKE [y/N]", "╰─────────────────╯"):
        (line,) = [line for line in shown.splitlines() if part in line]
        before = line[: line.index(part)]
        assert len(before) > log
        # In the gutter of output, inside the frame of its pane.
        assert re.search(r"│ +│+ │ [␛╭│╰─ ]*$", before), before
    assert terminal.ended(seconds=0.1) is None
    stored = next((task.folder / "output").iterdir()).read_bytes()
    assert stored.count(b"\rstep ") == 100


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_order(number: signal.Signals, opened: list[Terminal], project: Path) -> None:
    recorded.running()
    terminal = workbench()
    opened.append(terminal)
    terminal.until("bump httpx")
    os.kill(terminal.pid, number)
    assert terminal.ended() == 128 + number
    assert b"\x1b[?1049l" in terminal.written
    assert terminal.written.rfind(b"\x1b[?1003l") > terminal.written.rfind(b"\x1b[?1003h")


def test_a_lost_connection_ends_it(opened: list[Terminal], project: Path) -> None:
    recorded.running()
    terminal = workbench()
    opened.append(terminal)
    terminal.until("bump httpx")
    terminal.hang_up()
    pid, terminal.pid = terminal.pid, 0
    for _ in range(150):
        done, _status = os.waitpid(pid, os.WNOHANG)
        if done:
            return
        signal.sigtimedwait([], 0.1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError("the workbench outlives its terminal")


def test_no_colour_means_no_colour(opened: list[Terminal], project: Path) -> None:
    recorded.finished()
    terminal = Terminal(WORKBENCH, columns=140, rows=50, variables={"NO_COLOR": "1"})
    opened.append(terminal)
    terminal.until("4 files +10 −2")
    terminal.press("4")
    terminal.read(0.5)
    assert not re.search(rb"\x1b\[[0-9;]*(?:[34]8[;:]|\b(?:3|4|9|10)[0-7]\b)[0-9;:]*m", terminal.written)


@pytest.mark.parametrize(("variables", "said"), [({"TERM": "dumb"}, "TERM='dumb'"), ({"TERM": ""}, "set TERM")])
def test_a_terminal_that_cannot_show_it(
    variables: dict[str, str], said: str, opened: list[Terminal], project: Path
) -> None:
    terminal = Terminal(WORKBENCH, columns=140, variables=variables)
    opened.append(terminal)
    assert terminal.ended() == 2
    assert said in terminal.text


CRASH = """
from engine.bench import Bench
from tui.app import Workbench, run

def on_mount(self):
    value = "tok-" + "QZXJ7781"
    raise RuntimeError("on purpose")

Workbench.on_mount = on_mount
raise SystemExit(run(Bench()))
"""


def test_a_crash_shows_where_and_no_values(opened: list[Terminal], project: Path) -> None:
    """SECURITY-CASES S18: what a frame's variables hold may be a secret."""
    recorded.running()
    terminal = Terminal([sys.executable, "-c", CRASH], columns=140)
    opened.append(terminal)
    assert terminal.ended() == 1
    assert b"on purpose" in terminal.written
    assert b"on_mount" in terminal.written
    assert b"QZXJ7781" not in terminal.written
    assert b"\x1b[?1049l" in terminal.written
