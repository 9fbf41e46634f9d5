"""What the real workbench writes to its terminal, and when: counted in a terminal that keeps every byte (SPEC W8)."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest

from tests.screens import recorded
from tests.screens.conftest import project
from tests.screens.terminal import Terminal, workbench

pytestmark = pytest.mark.terminal
__all__ = ["project"]

Open = Callable[..., Terminal]
COLOUR = re.compile(rb"\x1b\[[0-9;:]*m")


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens workbenches that are closed after the test."""
    terminals: list[Terminal] = []

    def start(*options: str, **how: object) -> Terminal:
        terminals.append(workbench("--no-watch", *options, **how))  # type: ignore[arg-type]
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.close()


class Stream:
    """A running command that prints."""

    def __init__(self) -> None:
        self.task = recorded.running()
        self.lines = 0

    def more(self, lines: int) -> str:
        """Print more lines; returns the last."""
        data = "".join(f"line {number} of the stream\n" for number in range(self.lines, self.lines + lines))
        self.lines += lines
        self.task.output("0003", data.encode(), 30)
        return f"line {self.lines - 1} of the stream"


def settle(terminal: Terminal) -> None:
    """Read until nothing more comes for a while."""
    for _ in range(60):
        before = len(terminal.written)
        terminal.read(0.8)
        if len(terminal.written) == before:
            return
    raise AssertionError("it never falls silent")


def test_nothing_is_written_while_nothing_happens(opened: Open, project: Path) -> None:
    recorded.finished()
    terminal = opened(columns=120, rows=40)
    terminal.until("4 files +10 −2")
    settle(terminal)
    before = len(terminal.written)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        terminal.read(0.2)
    assert terminal.written[before:] == b""


def test_the_log_waits_for_the_terminal_while_keys_are_answered(opened: Open, project: Path) -> None:
    stream = Stream()
    terminal = opened(columns=120, rows=40)
    terminal.until("tests/test_client.py ....")
    last = stream.more(5)
    terminal.until(last)
    # From now on the terminal does not say that it has shown what was written.
    terminal.answers = False
    shown = [stream.more(3) for _ in range(8) if not terminal.read(0.25)]
    painted = [line for line in shown if line.encode() in terminal.written]
    assert len(painted) <= 1, painted
    asked = terminal.asked
    assert asked - terminal.answered == 1
    terminal.press("?")
    terminal.until("Write a prompt and start a task", seconds=10)
    terminal.press("\x1b")
    assert terminal.asked == asked
    terminal.answers = True
    terminal.answer()
    terminal.until(shown[-1])


def test_a_terminal_that_never_answers_is_asked_once_and_still_shows_the_log(opened: Open, project: Path) -> None:
    stream = Stream()
    terminal = opened(columns=120, rows=40, answers=False)
    terminal.until("tests/test_client.py ....")
    for _ in range(3):
        terminal.until(stream.more(2))
    assert terminal.asked == 1


def test_at_low_bandwidth_frames_take_no_more_than_their_share(opened: Open, project: Path) -> None:
    stream = Stream()
    terminal = opened("--low-bandwidth", columns=120, rows=40)
    terminal.until("tests/test_client.py ....")
    settle_clock = len(terminal.written)
    began = time.monotonic()
    while time.monotonic() - began < 4:
        last = stream.more(500)
        terminal.read(0.1)
    spent = time.monotonic() - began
    # Twice a second 8 kB at most; a frame more may be on its way.
    assert len(terminal.written) - settle_clock < 8_000 * (spent + 2)
    terminal.until(last)


def test_streaming_stays_within_70_kb_a_second(opened: Open, project: Path) -> None:
    stream = Stream()
    terminal = opened(columns=120, rows=40)
    terminal.until("tests/test_client.py ....")
    terminal.press("4+")
    terminal.read(0.5)
    before, began, frames = len(terminal.written), time.monotonic(), terminal.asked
    while time.monotonic() - began < 3:
        last = stream.more(1000)
        terminal.read(0.1)
    spent = time.monotonic() - began
    frames = terminal.asked - frames
    assert frames <= 10 * (spent + 1) + 2
    assert len(terminal.written) - before < 70_000 * (spent + 0.5)
    terminal.until(last)


def test_a_followed_log_is_scrolled_and_shows_exactly_the_same(opened: Open, project: Path) -> None:
    stream = Stream()
    terminal = opened(columns=100, rows=30)
    terminal.until("bump httpx")
    terminal.press("4")
    terminal.until(stream.more(40))
    settle_bytes = len(terminal.written)
    for _ in range(6):
        terminal.until(stream.more(1))
    written = terminal.written[settle_bytes:]
    scrolled = re.findall(rb"\x1b\[\d+;\d+r\x1b\[\d+;1H\x1b\[1M", written)
    assert len(scrolled) >= 3, written
    # A line that was there already is not written again.
    assert written.count(b"line 35 of the stream") == 0
    terminal.press("\x1b[O")  # The window is in the background: nothing blinks, no clock matters.
    before = [list(row) for row in terminal.screen.display]
    terminal.press("\x0c")
    terminal.until("line 45 of the stream")
    terminal.read(0.5)
    clock = re.compile(r"\d+:\d\d(:\d\d)?")
    for old, new in zip(before, terminal.screen.display, strict=True):
        assert clock.sub("*", "".join(old)) == clock.sub("*", new)


def test_the_screen_is_the_same_as_if_it_had_been_written_whole(opened: Open, project: Path) -> None:
    recorded.everything()
    terminal = opened(columns=110, rows=34)
    terminal.until("bump httpx")
    for key in ("4", "g", "j", "o", "\x04", "G", "/", "e", "\r", "\x1b", "5", "1", "j", "5", "]", "s", "j", "j", "k"):
        terminal.press(key)
        terminal.read(0.2)
    settle(terminal)
    incremental = [dict(terminal.screen.buffer[y]) for y in range(34)]
    at = len(terminal.written)
    terminal.press("\x0c")
    settle(terminal)
    fresh = pyte.Screen(110, 34)
    stream = pyte.ByteStream(fresh)
    stream.feed(terminal.written[at:])
    for y in range(34):
        for x in range(110):
            assert incremental[y].get(x, fresh.default_char) == fresh.buffer[y][x], (y, x)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_it_loads_restores_the_terminal(number: signal.Signals, opened: Open, project: Path) -> None:
    terminal = opened()
    terminal.until("? help")
    # What stands there may be the first picture or the workbench: either way the terminal is put back.
    os.kill(terminal.pid, number)
    assert terminal.ended() == 128 + number
    assert terminal.written.rfind(b"\x1b[?1049l") > terminal.written.rfind(b"\x1b[?1049h")
    assert terminal.written.rfind(b"\x1b[?25h") > terminal.written.rfind(b"\x1b[?25l")


def test_a_signal_right_after_the_first_picture_restores_the_terminal() -> None:
    at_once = """
import os, signal
from tui import terminal
write = os.write
def wrote(*what):
    os.write = write
    write(*what)
    os.kill(os.getpid(), signal.SIGHUP)
os.write = wrote
terminal.paint_skeleton()
"""
    terminal = Terminal([sys.executable, "-c", at_once])
    assert terminal.ended() == 128 + signal.SIGHUP
    assert terminal.written.rfind(b"\x1b[?1049l") > terminal.written.rfind(b"\x1b[?1049h")


def test_the_first_picture_is_there_before_textual_is_loaded(opened: Open, project: Path) -> None:
    recorded.running()
    blocked = project / "blocked"
    (blocked / "textual").mkdir(parents=True)
    (blocked / "textual" / "__init__.py").write_text("raise RuntimeError('not yet')\n")
    terminal = opened(PYTHONPATH=f"{blocked}:{os.environ.get('PYTHONPATH', '')}:{Path(__file__).parents[2]}")
    assert terminal.ended() == 1
    assert b"fumehood" in terminal.written.split(b"\x1b[?1049l")[0]
    assert b"1 Tasks" in terminal.written
    # The fault is told on the screen that stays.
    assert b"not yet" in terminal.written.rsplit(b"\x1b[?1049l", 1)[1]


def test_what_the_first_picture_says_the_workbench_says_too(opened: Open, project: Path) -> None:
    terminal = opened(columns=100)
    terminal.until("1 Tasks")
    first = re.search(rb"( 1 Tasks [^\x1b]*)", terminal.written)
    assert first
    terminal.until("n new")
    assert first[1].decode().rstrip() in terminal.text


def test_a_terminal_that_takes_nothing_does_not_hold_up_the_end(opened: Open, project: Path) -> None:
    stream = Stream()
    terminal = opened(columns=200, rows=60)
    terminal.until("tests/test_client.py ....")
    # From now on nobody reads: the terminal is full after a few frames.
    for _ in range(30):
        stream.more(200)
        terminal.press("?\x1b")
        time.sleep(0.05)
    os.kill(terminal.pid, signal.SIGTERM)
    end = time.monotonic() + 30
    while not (found := os.waitpid(terminal.pid, os.WNOHANG))[0]:
        assert time.monotonic() < end, "it waits for the terminal"
        time.sleep(0.1)
    terminal.pid = 0
    assert os.waitstatus_to_exitcode(found[1]) == 128 + signal.SIGTERM


def test_the_modes_of_the_terminal_are_as_before(project: Path) -> None:
    script = f"stty -g; {sys.executable} -m tui --no-watch; stty -g"
    terminal = Terminal(["sh", "-c", script], columns=100)
    try:
        terminal.until("n new")
        terminal.press("q")
        assert terminal.ended() == 0
        before, after = re.findall(rb"(?:[0-9a-f]+:){10,}[0-9a-f]+", terminal.written)
        assert before == after
    finally:
        terminal.close()


def test_stopped_and_continued_it_gives_the_terminal_back_and_takes_it_again(opened: Open, project: Path) -> None:
    recorded.running()
    terminal = opened()
    terminal.until("bump httpx")
    settle_at = len(terminal.written)
    os.kill(terminal.pid, signal.SIGTSTP)
    end = time.monotonic() + 20
    while not os.waitpid(terminal.pid, os.WUNTRACED | os.WNOHANG)[0]:
        assert time.monotonic() < end, "it does not stop"
        terminal.read(0.1)
    terminal.read(0.2)
    given = terminal.written[settle_at:]
    for sequence in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1003l", b"\x1b[?2004l"):
        assert sequence in given, sequence
    at = len(terminal.written)
    os.kill(terminal.pid, signal.SIGCONT)
    while b"bump httpx" not in terminal.written[at:]:
        assert time.monotonic() < end + 20, "it does not come back"
        terminal.read(0.1)
    assert b"\x1b[?1049h" in terminal.written[at:]
    terminal.press("?")
    terminal.until("Write a prompt and start a task")


def test_many_sizes_of_the_window_end_in_the_last(opened: Open, project: Path) -> None:
    recorded.running()
    terminal = opened()
    terminal.until("bump httpx")
    for columns, rows in ((10, 3), (1, 1), (200, 60), *[(60 + step, 20 + step) for step in range(60)], (1, 1), (2, 90)):
        terminal.resize(columns, rows)
        terminal.read(0.01)
    terminal.read(0.5)
    terminal.resize(90, 26)
    terminal.until("bump httpx")
    terminal.until("q quit")
    assert terminal.ended(seconds=0.2) is None


def test_without_utf8_only_ascii_is_written(opened: Open, project: Path) -> None:
    recorded.everything()
    terminal = opened(columns=140, rows=40, LC_ALL="C")
    terminal.until("rg -n proxies= src")
    for key in ("?", "\x1b", "j", "5", "s", "n", "\x1b"):
        terminal.press(key)
        terminal.read(0.3)
    assert terminal.written.isascii()
    assert "+- 1 Tasks" in terminal.text


@pytest.mark.parametrize("options", [(), ("--low-bandwidth",)])
def test_no_colour_writes_no_colour(options: tuple[str, ...], opened: Open, project: Path) -> None:
    recorded.everything()
    terminal = opened(*options, columns=140, rows=50, NO_COLOR="1")
    terminal.until("rg -n proxies= src")
    for key in ("4", "G", "?", "\x1b", "1", "j"):
        terminal.press(key)
        terminal.read(0.3)
    assert coloured(terminal.written) == set()


@pytest.mark.parametrize(
    ("options", "variables"), [((), {"TERM": "xterm", "COLORTERM": ""}), (("--low-bandwidth",), {})]
)
def test_sixteen_colours_are_the_terminals_own(
    options: tuple[str, ...], variables: dict[str, str], opened: Open, project: Path
) -> None:
    recorded.everything()
    terminal = opened(*options, columns=140, rows=50, **variables)
    terminal.until("rg -n proxies= src")
    found = coloured(terminal.written)
    assert found
    assert found <= {*range(30, 38), *range(40, 48), *range(90, 98), *range(100, 108)}


def coloured(written: bytes) -> set[int]:
    """Every number of SGR that stands for a colour; 39 and 49 are the terminal's own."""
    numbers = {int(n) for sequence in COLOUR.findall(written) for n in re.findall(rb"\d+", sequence)}
    return {n for n in numbers if n in (38, 48) or 30 <= n <= 37 or 40 <= n <= 47 or 90 <= n <= 107}


def test_the_mouse_can_be_left_to_the_terminal(opened: Open, project: Path) -> None:
    terminal = opened("--low-bandwidth")
    terminal.until("n new")
    assert b"\x1b[?1003h" not in terminal.written


def test_without_a_terminal_nothing_is_loaded(project: Path) -> None:
    program = "import sys; from tui.cli import main; code = main([]); print([m for m in sys.modules if m.startswith(('textual', 'rich', 'docker', 'git.'))]); sys.exit(code)"
    variables = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", program], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=variables, check=False)  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == "[]\n"
    assert "needs a terminal" in done.stderr
