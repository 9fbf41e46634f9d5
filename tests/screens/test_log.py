"""The log by its keys: searching, filtering, wrapping, times, raw output, copying, saving, the pager."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.state import state_dir
from engine.tasks import events as ev
from engine.tasks import journal
from tests.screens import recorded
from tests.screens.terminal import WORKBENCH, Terminal
from tests.screens.test_bench import NARROW, WIDE, screen_of, text_of, until, until_gone
from tests.screens.test_hostile import PAYLOADS, hostile
from tui.app import Workbench
from tui.live.backlog import Backlog
from tui.screens import log_out
from tui.widgets.log_view import LogView

App = Callable[..., Workbench]


def view_of(pilot: Pilot[int]) -> LogView:
    return screen_of(pilot).query_one(LogView)


def at_cursor(pilot: Pilot[int]) -> str:
    view = view_of(pilot)
    return "".join(text for text, _ in view.rows(view.cursor, view.cursor + 1)[0].left)


def big(lines: int = 200_000, code: int = 1) -> recorded.Recording:
    """A task whose one command printed more than is counted at once."""
    task = recorded.Recording("aaaa22")
    task.begin("big")
    name = task.command_started("make", 1)
    body = b"".join(b"line %d%s\n" % (n, b" WARNING" if n % 50_000 == 17 else b"") for n in range(lines))
    task.output(name, body, 2)
    task.command_finished(name, code, 9, 8.0)
    task.end("ready", 10)
    return task


async def test_search_counts_marks_and_goes_around(app: App) -> None:
    recorded.finished()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "All 15 tests pass.")
        await pilot.press("4", "slash", *"JOIN")
        await until(pilot, '"JOIN" 11 matches')
        await pilot.press("enter")
        # From the end, it looks back.
        await until(pilot, '"JOIN" 11/11')
        assert "`join` kept empty parts" in at_cursor(pilot)
        await pilot.press("n")
        await until(pilot, '"JOIN" 1/11')
        assert "The name of the test says join." in at_cursor(pilot)
        await pilot.press("n")
        # A match in an output that was folded unfolds it.
        await until(pilot, '"JOIN" 2/11')
        assert "def join(*parts: str) -> str:" in at_cursor(pilot)
        await pilot.press("N", "N")
        await until(pilot, '"JOIN" 11/11')
        await pilot.press("escape")
        await until_gone(pilot, '"JOIN"')
        # Without a search, n is what it is everywhere.
        await pilot.press("n")
        await until(pilot, "New task")


async def test_what_comes_while_searching_is_found_too(app: App) -> None:
    task = recorded.running()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "tests/test_client.py ....")
        await pilot.press("4", "slash", *"zebra", "enter")
        await until(pilot, '"zebra" 0 matches')
        task.output("0003", b"a zebra\nno more\nZEBRA again\n", 22)
        await until(pilot, '"zebra" 2/2')
        await pilot.press("N")
        await until(pilot, '"zebra" 1/2')
        assert "a zebra" in at_cursor(pilot)


class Held(Backlog):
    """Work that waits until it is let go."""

    held = True

    def _work(self) -> None:
        while self.held:
            time.sleep(0.01)
        super()._work()


async def test_enter_goes_to_what_is_found_later(app: App) -> None:
    recorded.running()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "tests/test_client.py ....")
        feed = screen_of(pilot).log_pane.feed
        assert feed is not None
        held = feed.backlog = Held()
        # Of a command that runs it is not known yet how much there is to search.
        await pilot.press("4", "slash", *"client.py", "enter")
        await until(pilot, "searching")
        held.held = False
        await until(pilot, '"client.py" 2/2')


async def test_a_large_output_is_there_before_its_lines_are_counted(app: App) -> None:
    big()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "line 199999")
        await pilot.press("4", "g")
        await until(pilot, "199,950 lines above")
        await until_gone(pilot, "counting lines")
        await pilot.press("G", "slash", *"warning", "enter")
        await until(pilot, '"warning" 4/4')
        assert "line 150017 WARNING" in at_cursor(pilot)
        await pilot.press("n")
        await until(pilot, '"warning" 1/4')
        assert "line 17 WARNING" in at_cursor(pilot)


async def test_a_filter_over_a_large_output_keeps_the_line_at_the_cursor(app: App) -> None:
    big()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "line 199999")
        await pilot.press("4", "ampersand", *"warning")
        await until(pilot, 'only "warning" 4 matches')
        await until(pilot, "line 150017 WARNING")
        await pilot.press("enter", "g", "j", "j")
        assert "line 50017 WARNING" in at_cursor(pilot)
        await pilot.press("r")
        shown = await until(pilot, " 50,018 │ line 50017 WARNING")
        assert "line 50018 " not in shown
        await pilot.press("escape")
        await until(pilot, "line 50018 ")
        assert "line 50017 WARNING" in at_cursor(pilot)


async def test_a_filter_that_nothing_passes_says_so(app: App) -> None:
    recorded.finished()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "All 15 tests pass.")
        await pilot.press("4", "ampersand", *"nowhere")
        await until(pilot, 'Nothing here contains "nowhere".')
        await pilot.press("enter", "n", "N", "j", "k", "r", "w", "escape", "escape")
        await until(pilot, "All 15 tests pass.")


async def test_wrapping_shows_all_of_a_line_and_is_kept(app: App) -> None:
    task = recorded.Recording("aaaa22")
    task.begin("long lines")
    long = " ".join(f"word{n}" for n in range(400)).encode()
    task.command("cat", 1, 1, b"first\n" + long + "\n世界".encode() * 20 + b"\nlast\n", 1)
    task.end("ready", 9)
    async with app("aaaa22").run_test(size=NARROW, notifications=True) as pilot:
        await pilot.press("4")
        await until(pilot, "✓ ready")
        assert "word399" not in text_of(pilot)
        await pilot.press("g", "w")
        shown = await until(pilot, "wrap")
        assert " │ word0 word1" in shown
        # The line is higher than the view: it is read to its end before the next one.
        seen = ""
        for _ in range(80):
            seen += text_of(pilot)
            await pilot.press("j")
        await until(pilot, "✓ ready")
        for word in ("word300", "word399", "世界", "last"):
            assert word in seen
        await pilot.press("ctrl+u", "pageup", "pageup", "ctrl+d", "G")
        await until(pilot, "✓ ready")
        await pilot.press("pageup", "pageup", "pageup", "pageup", "pageup", "pageup", "k")
        await until(pilot, "first")
    async with app("aaaa22").run_test(size=NARROW, notifications=True) as pilot:
        await pilot.press("4")
        await until(pilot, "wrap")
        await pilot.press("w")
        await until_gone(pilot, " wrap ")


async def test_following_goes_on_where_lines_wrap(app: App) -> None:
    task = recorded.running()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "tests/test_client.py ....")
        await pilot.press("4", "w")
        await until(pilot, "wrap")
        for number in range(5):
            task.output("0003", b"%d " % number + b"x" * 700 + b" end%d\n" % number, 22 + number)
            await until(pilot, f"end{number}")
        await until(pilot, "following")


async def test_times_are_those_of_the_output(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    task = recorded.running()
    task.output("0003", b"later\n", 95)
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "later")
        await pilot.press("4", "t")
        first, second = (time.strftime("%H:%M:%S", time.gmtime(task.start + at)) for at in (21, 95))
        shown = await until(pilot, f"{first}  │ tests/test_client.py ....")
        assert f"{second}  │ later" in shown
        await pilot.press("t")
        await until_gone(pilot, second)


async def test_raw_output_is_whole_numbered_and_left_again(app: App) -> None:
    recorded.finished()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "All 15 tests pass.")
        await pilot.press("4", "g", "right_square_bracket", "r")
        shown = await until(pilot, "0003.log")
        assert "      2 │ collected 15 items" in shown
        assert "All 15 tests pass." not in shown
        assert "sed -n" not in shown
        await pilot.press("enter", "o")
        assert "      2 │ collected 15 items" in text_of(pilot)
        await pilot.press("r")
        shown = await until(pilot, "✓ sed -n 1,80p src/urls.py")
        assert "      1 │ def join(*parts: str) -> str:" in shown
        assert "First I run the tests" not in shown
        await pilot.press("r")
        await until(pilot, "First I run the tests")
        await pilot.press("r", "escape")
        await until(pilot, "First I run the tests")


async def test_copying_lines_commands_and_texts(app: App) -> None:
    recorded.finished()
    copied = state_dir() / "copied.txt"
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "All 15 tests pass.")
        await pilot.press("4", "g", "right_square_bracket", "y")
        await until(pilot, "Copied 1 line")
        assert copied.read_text() == "pytest -x tests/test_urls.py"
        await pilot.press("j", "j", "y")
        await pilot.pause(0.2)
        assert copied.read_text() == "collected 15 items"
        await pilot.press("Y")
        await until(pilot, "Copied the command")
        assert copied.read_text() == "pytest -x tests/test_urls.py"
        await pilot.press("j", "J", "J")
        await until(pilot, "3 rows selected")
        await pilot.press("y")
        await until_gone(pilot, "3 rows selected")
        assert copied.read_text() == "\ntests/test_urls.py ...F\n"
        await pilot.press("G", "k", "k", "y")
        await pilot.pause(0.2)
        assert copied.read_text() == recorded.ANSWER


async def test_a_selection_stays_on_its_rows_while_more_comes(app: App) -> None:
    task = recorded.running()
    task.output("0003", b"".join(b"line %d\n" % n for n in range(50)), 22)
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "line 49")
        await pilot.press("4", "K", "K", "K")
        await until(pilot, "4 rows selected")
        task.output("0003", b"more\n" * 100, 23)
        await until(pilot, "+100 new")
        await pilot.press("y")
        await until(pilot, "Copied 4 lines")
        assert (state_dir() / "copied.txt").read_text() == "line 46\nline 47\nline 48\nline 49"


async def test_what_is_read_stays_where_it_is_while_lines_come_above_it(app: App) -> None:
    task = recorded.running()
    first = task.command_started("other", 30)
    task.output(first, b"".join(b"other %d\n" % n for n in range(60)), 31)
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "other 59")
        await pilot.press("4", "k", "k")
        line = at_cursor(pilot)
        task.output("0003", b"above\n" * 500, 32)
        await until(pilot, "other 59")
        for _ in range(100):
            await pilot.pause(0.05)
            if view_of(pilot).row_count() > 500:
                break
        assert view_of(pilot).row_count() > 500
        assert at_cursor(pilot) == line


async def test_saving_writes_plain_text_to_a_new_file(app: App, project: Path) -> None:
    recorded.finished()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "All 15 tests pass.")
        await pilot.press("4", "s")
        await until(pilot, "Write the log to a file")
        await pilot.press("enter")
        await until(pilot, "lines to aaaa22.log")
        text = (project / "aaaa22.log").read_text()
        assert "\n$ pytest -x tests/test_urls.py\n" in text
        assert "\ntests/test_urls.py ...F\n" in text
        assert "(exit 1 in 2.4s)" in text
        assert "\x1b" not in text
        await pilot.press("s", "enter")
        await until(pilot, "aaaa22.log exists")
        await pilot.press("ampersand", *"assert", "enter", "ctrl+s", *"-2", "enter")
        await until(pilot, "Wrote 2 lines")
        assert all("assert" in line.lower() for line in (project / "-2").read_text().splitlines())


def test_a_log_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    from engine.errors import EngineError

    with pytest.raises(EngineError, match="cannot write"):
        log_out.write(tmp_path / "no" / "log", ["a"])


def test_the_pager_gets_text_and_may_be_left_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    monkeypatch.setenv("PAGER", f"tee {out}")
    assert log_out.run_pager(["one", "two"]) == ""
    assert out.read_text() == "one\ntwo\n"
    monkeypatch.setenv("PAGER", "true")
    assert log_out.run_pager(f"line {n}" for n in range(200_000)) == ""
    monkeypatch.setenv("PAGER", "no-such-pager --here")
    assert "no-such-pager" in log_out.run_pager(["one"])


async def test_a_terminal_that_cannot_be_handed_over(app: App) -> None:
    recorded.finished()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "All 15 tests pass.")
        await pilot.press("4", "p")
        await until(pilot, "cannot be handed over")


async def test_a_log_that_is_cut_short_and_one_that_is_gone(app: App) -> None:
    task = recorded.running()
    task.output("0003", b"".join(b"line %d\n" % n for n in range(5000)), 22)
    path = journal.output_path(task.folder, "0003")
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "line 4999")
        path.write_bytes(b"begun anew\n")
        await until(pilot, "begun anew")
        path.unlink()
        await pilot.press("4", "g", "r", "slash", *"anew", "enter", "w", "t", "G", "escape", "escape")
        task.at(30, ev.CommandFinished(id="0003", exit_code=1, duration=9.0, status="failed"))
        await until(pilot, "✗ pytest -q")


async def test_many_commands(app: App) -> None:
    task = recorded.Recording("aaaa22")
    task.begin("many")
    for number in range(400):
        task.command(f"step {number}", number, 0.1, b"output of %d\n" % number, int(number % 100 == 99))
    task.end("ready", 500)
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "step 399")
        await pilot.press("4", "slash", *"output of 123", "enter")
        await until(pilot, '"output of 123" 1/1')
        assert "output of 123" in at_cursor(pilot)
        await pilot.press("right_square_bracket")
        assert "step 199" in at_cursor(pilot)
        await pilot.press("escape", "r", "r")
        await until(pilot, "      1 │ output of 19")


async def test_the_log_of_a_job_has_the_same_keys(app: App) -> None:
    from tui.live.feed import Feed
    from tui.screens.job_log import JobLog

    task = recorded.finished()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "All 15 tests pass.")
        pilot.app.push_screen(JobLog("web: refresh", Feed(task.folder)))
        await until(pilot, "esc back")
        await pilot.press("slash", *"collected", "enter")
        await until(pilot, '"collected" 1/1')
        await pilot.press("r")
        await until(pilot, "0003.log")
        await pilot.press("escape", "escape")
        await until(pilot, "First I run the tests")
        await pilot.press("escape")
        await until_gone(pilot, "esc back")


@pytest.fixture
def opened() -> Iterator[list[Terminal]]:
    terminals: list[Terminal] = []
    yield terminals
    for terminal in terminals:
        terminal.close()


@pytest.mark.parametrize("name", PAYLOADS)
def test_nothing_hostile_reaches_terminal_pager_or_file(
    name: str, opened: list[Terminal], project: Path, tmp_path: Path
) -> None:
    """W11: wrapped, with times, raw, searched, in the pager, saved: data is never acted on."""
    payload, forbidden = PAYLOADS[name]
    hostile(payload)
    paged = tmp_path / "paged"
    before = {path.name for path in project.iterdir()}
    terminal = Terminal(WORKBENCH, columns=100, rows=40, variables={"PAGER": f"tee -a {paged}"})
    opened.append(terminal)
    terminal.until("enter open")
    terminal.press("4")
    terminal.until("✓ ready")
    for key, said in (
        ("g", "1/"), ("w", "wrap"), ("t", "wrap · times"), ("]", "G to the end"), ("r", "0001.log"),
        ("/", "find in the log"), ("a", '"a" '), ("\r", '"a" '), ("n", '"a" '),
        ("&", 'only "a"'), ("\r", 'only "a"'), ("&", 'only "a"'), ("\x7f", "show only lines"), ("\r", "0001.log"),
        ("r", "all outputs"), ("r", "wrap · times"), ("o", "wrap · times"), ("p", ""),
    ):  # fmt: skip
        terminal.press(key)
        terminal.read(0.15)
        terminal.until(said)
    # What is typed while the pager has the terminal is lost.
    for _ in range(60):
        terminal.press("s")
        terminal.read(0.5)
        if "Write the log to a file" in terminal.text:
            break
    terminal.read(1.0)
    terminal.press("\r")
    terminal.until("Wrote")
    (file,) = (path for path in project.iterdir() if path.name not in before)
    saved = file.read_bytes()
    assert b"plain end of output" in saved
    assert b"plain end of output" in paged.read_bytes()
    for data in (saved, paged.read_bytes(), terminal.written):
        for bytes_of_data in forbidden:
            assert bytes_of_data not in data
    for data in (saved, paged.read_bytes()):
        assert b"\x1b" not in data
        assert not any(byte < 0x20 and byte not in b"\n\t" for byte in data)
    assert b"Traceback" not in terminal.written


def test_the_workbench_comes_back_from_the_pager(opened: list[Terminal], project: Path) -> None:
    recorded.finished()
    terminal = Terminal(WORKBENCH, columns=120, rows=40, variables={"PAGER": "sh -c 'cat; echo IN-THE-PAGER; sleep 1'"})
    opened.append(terminal)
    terminal.until("✓ ready")
    terminal.press("4")
    terminal.read(0.3)
    terminal.press("p")
    terminal.until("IN-THE-PAGER")
    # Interrupting is the pager's business.
    os.killpg(os.getpgid(terminal.pid), 2)
    terminal.until("enter fold")
    assert terminal.ended(seconds=0.3) is None


def test_many_writes_at_once_do_not_hide_the_keys(opened: list[Terminal], project: Path) -> None:
    """T08: a line without end, and more, while keys are answered."""
    task = recorded.running()
    terminal = Terminal(WORKBENCH, columns=120, rows=40)
    opened.append(terminal)
    terminal.until("tests/test_client.py ....")
    path = journal.output_path(task.folder, "0003")
    with path.open("ab") as file:
        file.write(b"A" * 50_000_000)
    task.at(30, ev.CommandOutput(id="0003", stream="out", offset=0, size=50_000_000))
    terminal.until("AAAA")
    terminal.press("4")
    terminal.until("enter fold")
    terminal.press("w")
    terminal.until(",996,000 bytes not shown")
    terminal.press("g")
    terminal.until("G to the end")
    assert b"Traceback" not in terminal.written
