"""push, pr, export, apply and diff on the command line: what they print, in which exit code they end (SPEC L1, T10)."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.publish.made import Made, edit
from tests.unit.repository.repositories import git
from tui.cli import main

BRANCH = "fumehood/abc234"


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    found = Made(tmp_path)
    monkeypatch.chdir(found.checkout)
    return found


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def test_push_and_what_status_says(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    made.task(edit)
    code, out, _ = told(capsys, "push", "abc234")
    assert (code, out.startswith(f"{BRANCH} → {made.origin}: pushed: ")) == (0, True)
    assert f"published    {BRANCH} → {made.origin} · " in told(capsys, "status", "abc234")[1]
    code, out, _ = told(capsys, "push", "abc234", "--json")
    data = json.loads(out)
    assert (data["v"], data["branch"], data["sha"], data["changed"], data["url"]) == (
        1,
        BRANCH,
        made.branches()[BRANCH],
        False,
        "",
    )
    [entry] = json.loads(told(capsys, "status", "abc234", "--json")[1])["published"]
    assert entry == {
        "attempt": 1,
        "remote": str(made.origin),
        "branch": BRANCH,
        "sha": data["sha"],
        "url": "",
        "number": 0,
        "forge": "",
    }
    assert f"published: {BRANCH}" in told(capsys, "logs", "abc234")[1]


def test_a_message_and_a_refusal(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    made.task(edit)
    assert told(capsys, "push", "abc234", "--message", "Mine\n\nWords.")[0] == 0
    assert git("log", "-1", "--format=%s|%b", BRANCH, cwd=made.origin) == "Mine|Words."
    code, _, err = told(capsys, "push", "abc234", "--branch", "main")
    assert code == 1
    assert "main is the default branch" in err
    assert "--allow-default-branch" in err
    assert told(capsys, "push", "nosuch")[0] == 2


def test_the_text_is_edited(made: Made, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    made.task(edit)
    script = made.folder / "editor"
    script.write_text("#!/bin/sh\nsed -i '1s/.*/Edited/; /at zero/s/$/ Indeed./' \"$1\"\n")
    script.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(script))
    assert told(capsys, "push", "abc234", "--edit")[0] == 0
    assert git("log", "-1", "--format=%B", BRANCH, cwd=made.origin) == (
        "Edited\n\nIt starts at zero now, and all tests pass. Indeed."
    )
    script.write_text('#!/bin/sh\n: > "$1"\n')
    code, _, err = told(capsys, "push", "abc234", "--edit")
    assert (code, "the text is empty" in err) == (2, True)
    monkeypatch.setenv("VISUAL", "/nonexistent/editor")
    assert "does not start" in told(capsys, "push", "abc234", "--edit")[2]


def test_a_request_needs_a_forge(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    made.task(edit)
    code, _, err = told(capsys, "pr", "abc234")
    assert code == 2
    assert "is not on a forge" in err
    assert "fumehood push" in err


def test_export(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    made.task(edit)
    code, out, _ = told(capsys, "export", "abc234")
    assert code == 0
    subprocess.run(["sh", "-ec", out], cwd=made.checkout, check=True, capture_output=True)
    assert git("show", "FETCH_HEAD:a.txt", cwd=made.checkout) == "0\n1\n2\n3"
    code, out, _ = told(capsys, "export", "abc234", "--bundle", "a b.bundle")
    assert out == "git fetch 'a b.bundle' refs/tasks/abc234/1\n"
    subprocess.run(["sh", "-ec", out], cwd=made.checkout, check=True, capture_output=True)
    assert told(capsys, "export", "abc234", "--patch", "p")[0] == 0
    subprocess.run(["git", "apply", "p"], cwd=made.checkout, check=True)
    assert set(json.loads(told(capsys, "export", "abc234", "--json")[1])) == {"v", "repository", "ref"}


def test_apply_tells_which_files(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    made.task(edit)
    (made.checkout / "a.txt").write_text("mine\n")
    code, out, _ = told(capsys, "apply", "abc234")
    assert code == 1
    assert "1 of 1 files hold work that is not committed; commit it, or apply with --force" in out
    assert "  not committed: a.txt" in out
    code, out, _ = told(capsys, "apply", "abc234", "--force")
    assert (code, "  does not fit: a.txt" in out) == (1, True)
    git("checkout", "-q", "--", "a.txt", cwd=made.checkout)
    assert told(capsys, "apply", "abc234")[0] == 0


def many(clone: Path) -> None:
    for number in range(1203):
        (clone / f"f{number:04}").write_text("x\n" * 5)
    (clone / "evil").write_text("\x1b]0;title\x07\u202e\n")


def test_a_huge_diff_says_how_much_of_it_is_shown(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    made.task(many)
    code, out, err = told(capsys, "diff", "abc234", "--stat")
    assert (code, len(out.splitlines())) == (0, 1001)
    assert "1000 of 1204 files shown; --json has them all" in err
    assert len(json.loads(told(capsys, "diff", "abc234", "--stat", "--json")[1])["files"]) == 1204
    whole = subprocess.run([sys.executable, "-m", "tui.cli", "diff", "abc234"], capture_output=True, check=True,
                           env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}).stdout  # fmt: skip
    assert whole == made.bench.results.diff("abc234")


def test_a_diff_on_a_terminal_is_cleaned_and_ends(made: Made) -> None:
    made.task(many)
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "tui.cli", "diff", "abc234"]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(argv, stdout=theirs, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=variables)
    os.close(theirs)
    shown = io.BytesIO()
    try:
        while data := os.read(ours, 65536):
            shown.write(data)
    except OSError:
        pass  # how a terminal says that nobody writes to it any more
    os.close(ours)
    _, err = process.communicate()
    assert process.returncode == 0
    assert b"\x1b" not in shown.getvalue()
    assert "\u202e".encode() not in shown.getvalue()
    assert len(shown.getvalue().splitlines()) == 5000
    assert b"5,000 of 13,240 lines shown" in err
    assert b"in a pipe or a file, it is whole" in err
