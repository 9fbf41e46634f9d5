"""The journal: numbered without gap, readable while written, whole after a crash in the middle of a line."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.tasks import events as ev
from engine.tasks.journal import JOURNAL, Journal, encode, read, read_all, with_text
from engine.tasks.recorder import HEAD_KEPT, TAIL_KEPT, Recorder, _cut_character


def test_events_are_numbered_from_one_without_gap(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    threads = [
        threading.Thread(target=lambda: [journal.append(ev.Notice(level="info", text="x")) for _ in range(50)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event.seq for event in read_all(tmp_path)] == list(range(1, 201))


def test_a_line_cut_by_a_crash_is_removed_and_the_numbers_go_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(ev.Notice(level="info", text="one"))
    journal.append(ev.Notice(level="info", text="two"))
    journal.close()
    path = tmp_path / JOURNAL
    path.write_bytes(path.read_bytes() + b'{"type":"notice","seq":3,"te')
    again = Journal(tmp_path)
    again.append(ev.Notice(level="info", text="three"))
    assert [(e.seq, e.text) for e in read_all(tmp_path) if isinstance(e, ev.Notice)] == [
        (1, "one"),
        (2, "two"),
        (3, "three"),
    ]


def test_a_reader_sees_whole_lines_only_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    Journal(tmp_path).append(ev.Notice(level="info", text="one"))
    path = tmp_path / JOURNAL
    second = encode(ev.Notice(seq=2, level="info", text="two"))
    path.write_bytes(path.read_bytes() + second[:10])
    events, offset = read(tmp_path)
    assert len(events) == 1
    assert read(tmp_path, offset) == ([], offset)
    path.write_bytes(path.read_bytes() + second[10:] + b"\n")
    events, _ = read(tmp_path, offset)
    assert [event.seq for event in events] == [2]


def test_a_kind_of_event_this_version_does_not_know_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_text(
        '{"type":"from.the.future","seq":1}\n' + encode(ev.Reasoning(text="x", seq=2)).decode() + "\n"
    )
    assert [event.seq for event in read_all(tmp_path)] == [2]


def test_output_is_kept_once_and_found_again_by_its_events(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, Journal(tmp_path))
    name = recorder.command_started("true", cwd="/", phase="agent", run=1)
    recorder.output(name, "out", b"a\xc3")
    recorder.output(name, "out", b"\xa9b")
    recorder.output(name, "err", b"oops")
    recorder.command_finished(name, 0)
    outputs = [with_text(tmp_path, e) for e in read_all(tmp_path) if isinstance(e, ev.CommandOutput)]
    assert "".join(e.text for e in outputs if e.stream == "out") == "aéb"
    assert "".join(e.text for e in outputs if e.stream == "err") == "oops"


def test_a_flood_keeps_its_head_and_its_end_and_counts_everything(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, Journal(tmp_path))
    name = recorder.command_started("yes", cwd="/", phase="agent", run=1)
    chunk = b"y" * (1 << 20)
    for _ in range(12):
        recorder.output(name, "out", chunk)
    recorder.output(name, "out", b"THE END")
    recorder.command_finished(name, 0)
    finished = next(e for e in read_all(tmp_path) if isinstance(e, ev.CommandFinished))
    assert finished.truncated
    assert finished.bytes == (12 << 20) + 7
    stored = (tmp_path / "output" / f"{name}.log").read_bytes()
    assert stored.endswith(b"THE END")
    assert b"bytes not kept" in stored
    assert HEAD_KEPT < len(stored) < HEAD_KEPT + TAIL_KEPT + 100


@given(st.text(), st.integers(0, 4))
def test_a_cut_character_is_told_from_a_whole_one(text: str, drop: int) -> None:
    data = text.encode("utf-8", "surrogatepass")
    cut = data[: len(data) - drop]
    held = _cut_character(cut[-4:])
    kept = cut[: len(cut) - held]
    assert data.startswith(kept)
    assert not kept or text.encode("utf-8", "surrogatepass").startswith(kept)
    kept.decode("utf-8", "surrogatepass")


@given(st.lists(st.tuples(st.sampled_from(["out", "err"]), st.binary(max_size=200)), max_size=30))
def test_what_the_events_say_is_what_was_printed(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[tuple[str, bytes]]
) -> None:
    folder = tmp_path_factory.mktemp("task")
    recorder = Recorder(folder, Journal(folder))
    name = recorder.command_started("x", cwd="/", phase="agent", run=1)
    for stream, data in chunks:
        recorder.output(name, stream, data)  # type: ignore[arg-type]
    recorder.command_finished(name, 0)
    stored = (folder / "output" / f"{name}.log").read_bytes()
    told = {"out": b"", "err": b""}
    position = 0
    for event in read_all(folder):
        if isinstance(event, ev.CommandOutput):
            assert event.offset == position
            told[event.stream] += stored[event.offset : event.offset + event.size]
            position += event.size
    for stream in ("out", "err"):
        assert told[stream] == b"".join(data for name, data in chunks if name == stream)
