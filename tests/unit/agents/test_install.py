"""Installing agents: in use only when all is there and runs; npm is a stand-in here (SPEC A1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.agents.install import install
from engine.agents.packages import folder, installed
from engine.errors import EngineError, UsageError

# Puts a program where the real package has it; what it does is in files beside it.
NPM = r"""#!/bin/bash
here=$(dirname "$0")
echo "$*" >> "$here/calls"
target=$(sed 's/.*--prefix \([^ ]*\).*/\1/' <<<"$*") version=${*##*@}
[ -e "$here/fail" ] && { echo "npm error code E404" >&2; echo "npm error 404 Not Found" >&2; exit 1; }
bin=$target/node_modules/@openai/codex-linux-x64/vendor/x/bin
mkdir -p "$bin"
printf '#!/bin/sh\necho codex-cli %s\n' "$(cat "$here/says" 2>/dev/null || echo "$version")" > "$bin/codex"
chmod +x "$bin/codex"
"""


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "npm-bin"
    made.mkdir()
    (made / "npm").write_text(NPM)
    (made / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{made}:/usr/bin:/bin")
    return made


def quiet(_: str) -> None:
    """Nobody looks."""


def versions() -> list[str]:
    return sorted(path.name for path in folder("codex").iterdir() if path.is_dir())


def test_the_tried_version_is_installed_and_once(npm: Path) -> None:
    told: list[str] = []
    found = install("codex", "", told.append)
    assert found == installed("codex")
    assert found.program.is_file()
    assert install("codex", "", told.append) == found
    assert len((npm / "calls").read_text().splitlines()) == 1
    assert f"@openai/codex@{found.version}" in (npm / "calls").read_text()
    assert "--ignore-scripts" in (npm / "calls").read_text()
    assert told[-1] == f"codex {found.version} is installed already"


def test_another_version_takes_over_and_the_one_before_stays(npm: Path) -> None:
    for version in ("0.1.0", "0.2.0", "0.3.0"):
        assert install("codex", version, quiet).version == version
    assert versions() == ["0.2.0", "0.3.0"]


@pytest.mark.parametrize(("file", "said"), [("fail", "404 Not Found"), ("says", "does not run here")])
def test_what_fails_changes_nothing(npm: Path, file: str, said: str) -> None:
    before = install("codex", "0.1.0", quiet)
    (npm / file).write_text("something else")
    with pytest.raises(EngineError, match=said):
        install("codex", "0.2.0", quiet)
    assert installed("codex") == before
    assert versions() == ["0.1.0"]


def test_wrong_requests_are_refused_before_anything_runs(npm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, version in (("nobody", ""), ("codex", "../../x"), ("codex", "latest --registry=x"), ("command", "")):
        with pytest.raises(UsageError):
            install(name, version, quiet)
    assert not (npm / "calls").exists()
    monkeypatch.setenv("PATH", str(npm.parent))
    with pytest.raises(UsageError, match="apt-get install npm"):
        install("codex", "", quiet)


def test_a_damaged_note_means_not_installed(npm: Path) -> None:
    install("codex", "0.1.0", quiet)
    for text in ("", "9.9.9\n"):
        (folder("codex") / "current").write_text(text)
        assert installed("codex") is None
    assert install("codex", "0.1.0", quiet).version == "0.1.0"
