"""env import, and env init with files of other tools beside it (SPEC E3)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.environment.load import load
from engine.environment.trust import trusted
from tui.cli import main


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the files of two tools, as the current folder."""
    folder = tmp_path / "shop"
    for name, text in {
        ".devcontainer.json": '{"image": "debian:bookworm", "postCreateCommand": "npm ci", "forwardPorts": [1],}',
        ".cursor/environment.json": '{"install": "pnpm i", "\\u001b[2J\\u202e": 1}',
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.chdir(folder)
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    told = capsys.readouterr()
    return code, told.out, told.err


def test_import_reports_writes_and_trusts(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "env", "import")
    assert code == 0
    assert out.splitlines()[:5] == [
        "imported .devcontainer.json (devcontainer):",
        "  postCreateCommand → setup.script",
        "  image → image.name",
        "  forwardPorts: not taken over: containers have no network that could be forwarded; "
        "what listens is reached inside",
        "also here: .cursor/environment.json (--from cursor)",
    ]
    environment = load(project / "fumehood.toml")
    assert (environment.image.name, environment.setup.script) == ("debian:bookworm", "set -e\nnpm ci\n")
    assert trusted(environment)
    assert run(capsys, "env", "check")[0] == 0
    code, _, err = run(capsys, "env", "import", "--from", "cursor")
    assert (code, "exists already" in err) == (2, True)
    code, out, _ = run(capsys, "env", "import", "--from", "cursor", "--force")
    assert "␛[2J⟨202E⟩: not taken over: unknown key" in out
    assert load(project / "fumehood.toml").maintenance.script == "set -e\npnpm i\n"


def test_import_for_programs_and_to_another_place(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "env", "import", ".devcontainer.json", "--output", ".fumehood/dev.toml", "--json")
    assert code == 0
    assert json.loads(out) == {
        "v": 1,
        "path": str(project / ".fumehood/dev.toml"),
        "format": "devcontainer",
        "files": [str(project / ".devcontainer.json")],
        "mapped": [
            {"from": "postCreateCommand", "to": "setup.script", "note": ""},
            {"from": "image", "to": "image.name", "note": ""},
        ],
        "unmapped": [
            {
                "from": "forwardPorts",
                "reason": "containers have no network that could be forwarded; what listens is reached inside",
            }
        ],
        "also": [],
    }
    environment = load(project / ".fumehood/dev.toml")
    assert environment.repository.url == str(project)


def test_init_imports_and_can_leave_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "init")
    assert code == 0
    assert "imported .devcontainer.json (devcontainer):" in out
    assert "`fumehood init --force --no-import` leaves it out" in out
    assert load(project / "fumehood.toml").image.name == "debian:bookworm"
    told = json.loads(run(capsys, "env", "init", "--force", "--no-import", "--json")[1])
    assert told == {"v": 1, "path": str(project / "fumehood.toml"), "imported": None}
    assert load(project / "fumehood.toml").setup.script == ""
    told = json.loads(run(capsys, "env", "init", "--force", "--json")[1])
    assert (told["imported"]["format"], told["imported"]["also"][0]["format"]) == ("devcontainer", "cursor")


def test_init_goes_on_without_what_it_cannot_read(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / ".devcontainer.json").write_text("{")
    assert run(capsys, "env", "import")[0] == 1
    code, out, err = run(capsys, "env", "init")
    assert code == 0
    assert f"not imported: {project}/.devcontainer.json: line 1: not valid JSON" in err
    assert "imported .cursor/environment.json (cursor):" in out
    (project / ".cursor/environment.json").write_text("")
    assert run(capsys, "env", "init", "--force")[0] == 0
    assert load(project / "fumehood.toml").setup.script == ""


def test_there_is_nothing_to_import(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "env", "import", str(tmp_path))
    assert code == 2
    assert "nothing to import" in err
    assert ".devcontainer/devcontainer.json" in err
