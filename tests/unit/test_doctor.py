"""`doctor` on engines of several ages (SECURITY-CASES G13)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer

import pytest

from tui.cli import main

Serve = Callable[[str, str], None]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Lets an engine with this version and this version of runc answer; it has no images."""
    answers: dict[str, object] = {"/info": {"Driver": "overlay2"}}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answers.get(self.path)
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(json.dumps(found or {"message": "no such image"}).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    def serve(version: str, runc: str) -> None:
        answers["/version"] = {"Version": version, "Components": [{"Name": "runc", "Version": runc}] if runc else []}

    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine.sock")
    with ThreadingUnixStreamServer(str(tmp_path / "engine.sock"), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield serve
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("runc", "faults"),
    [
        ("1.1.5+ds1-1+deb12u1", ["CVE-2024-21626", "CVE-2025-31133"]),
        ("1.1.12", ["CVE-2025-31133"]),
        ("1.2.7", ["CVE-2025-31133"]),
        ("1.2.8", []),
        ("1.3.2", ["CVE-2025-31133"]),
        ("1.3.3", []),
        ("1.10.0", []),
        ("", []),
    ],
)
def test_an_outdated_runtime_is_a_warning(
    engine: Serve, capsys: pytest.CaptureFixture[str], runc: str, faults: list[str]
) -> None:
    engine("28.0.0", runc)
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out.splitlines()
    (line,) = [line for line in printed if " runtime " in line]
    assert line.startswith("!" if faults else "✓")
    hint = printed[printed.index(line) + 1] if faults else ""
    assert [name for name in ("CVE-2024-21626", "CVE-2025-31133") if name in hint] == faults
    assert ("update it" in hint) == bool(faults)


@pytest.mark.parametrize(
    ("version", "old"),
    [
        ("20.10.24+dfsg1", True),
        ("23.0.10", True),
        ("24.0.9", True),
        ("25.0.4", True),
        ("25.0.5", False),
        ("28.0", False),
    ],
)
def test_an_outdated_engine_is_told_with_what_it_means_here(
    engine: Serve, capsys: pytest.CaptureFixture[str], version: str, old: bool
) -> None:
    engine(version, "1.3.3")
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert f"docker {version} at unix://" in printed
    assert ("CVE-2024-29018; tasks are not affected" in printed) == old


def test_name_and_tokens_that_publishing_takes(
    engine: Serve, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine("27.0.0", "1.2.8")
    for name in ("GH_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN", "GITLAB_ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITLAB_TOKEN", "glpat-QZXJ5512")
    main(["doctor", "--json"])
    out = capsys.readouterr().out
    found = {check["name"]: check for check in json.loads(out)["checks"]}
    assert found["git identity"]["message"] == "Test <test@example.invalid>"
    assert found["forge"]["message"] == "token for gitlab.com from $GITLAB_TOKEN"
    assert "QZXJ5512" not in out
    monkeypatch.delenv("GITLAB_TOKEN")
    monkeypatch.delenv("GIT_AUTHOR_NAME")
    monkeypatch.delenv("GIT_AUTHOR_EMAIL")
    main(["doctor", "--json"])
    found = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert "git config --global user.name" in found["git identity"]["hint"]
    assert "gh, glab or tea" in found["forge"]["hint"]
