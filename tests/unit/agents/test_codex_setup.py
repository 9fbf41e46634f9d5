"""What codex is given: options, key or login, program, a home of its own (SPEC A1)."""

from __future__ import annotations

import stat
import struct
import sys
import tomllib
from pathlib import Path

import pytest

from engine.agents import agent, mounts
from engine.agents.codex import home, program, settings
from engine.agents.codex.settings import Login, Settings
from engine.environment.load import load
from engine.errors import UsageError

KEY = "sk-unit-test-key-123456"


def elf(path: Path, *kinds: int) -> Path:
    """A file that begins like a Linux program with these program headers (1 load, 3 interpreter)."""
    size = 56
    head = (
        b"\x7fELF\x02\x01\x01"
        + bytes(9)
        + bytes(16)
        + struct.pack("<Q", 64)
        + bytes(14)
        + struct.pack("<HH", size, len(kinds))
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head.ljust(64, b"\0") + b"".join(struct.pack("<I", kind) + bytes(size - 4) for kind in kinds))
    path.chmod(0o755)
    return path


def test_options_are_read_strictly() -> None:
    read = settings.read({"model": "m", "command": (), "plan": "", "key_env": "MY_KEY"})
    assert read == Settings(model="m", key_env="MY_KEY")
    with pytest.raises(UsageError, match=r"'modle' is unknown\n  known in .*: model, effort"):
        settings.read({"modle": "m"})
    with pytest.raises(UsageError, match="model must be a text"):
        settings.read({"model": 5})


def test_the_key_is_the_named_variable_then_the_usual_one_then_a_login(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "OPENAI_API_KEY": f" {KEY}\n", "MY_KEY": "mine"}
    assert settings.login(Settings(key_env="MY_KEY"), environ).key == "mine"
    assert settings.login(Settings(), environ).key == KEY
    assert settings.login(Settings(base_url="http://x/v1"), environ) == Login(), "no server gets the key of another"
    (tmp_path / ".codex").mkdir()
    account = tmp_path / ".codex/auth.json"
    account.write_text("{}")
    assert settings.login(Settings(), {"HOME": str(tmp_path)}) == Login(account=account)
    elsewhere = {"HOME": "/nonexistent", "CODEX_HOME": str(tmp_path / ".codex")}
    assert settings.login(Settings(), elsewhere) == Login(account=account)
    # A named variable is meant.
    with pytest.raises(UsageError, match="is not set"):
        settings.login(Settings(key_env="OTHER"), {"HOME": str(tmp_path)})


def test_without_key_and_login_it_is_said_how_to_give_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="export OPENAI_API_KEY=…, or log in with `codex login`"):
        settings.login(Settings(), {"HOME": str(tmp_path)})


def test_a_login_shows_no_key() -> None:
    assert KEY not in f"{Login(key=KEY)} {Login(key=KEY)!r}"


def test_the_home_has_no_key_and_the_login_only_meanwhile(tmp_path: Path) -> None:
    account = tmp_path / "auth.json"
    account.write_text("{}")
    folder = tmp_path / "home"
    with home.codex_home(folder, Settings(model="m", effort="high"), Login(account=account)):
        link = folder / "auth.json"
        assert link.resolve() == account
        # Codex renews a login in place: the user's own file has it then.
        link.write_text("renewed")
        configuration = tomllib.loads((folder / "config.toml").read_text())
    assert not link.is_symlink()
    assert account.read_text() == "renewed"
    assert "model_providers" not in configuration
    assert (configuration["model"], configuration["model_reasoning_effort"]) == ("m", "high")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with home.codex_home(folder, Settings(base_url="http://x/v1"), Login(key=KEY)):
        texts = {path.name: path.read_text() for path in folder.iterdir()}
    assert sorted(texts) == ["config.toml", "environments.toml"]
    assert not [name for name, text in texts.items() if KEY in text]
    provider = tomllib.loads(texts["config.toml"])["model_providers"]["fumehood"]
    assert (provider["base_url"], provider["env_key"]) == ("http://x/v1", home.KEY)
    places = tomllib.loads(texts["environments.toml"])
    assert (places["include_local"], [place["program"] for place in places["environments"]]) == (
        False,
        [sys.executable],
    )


def test_values_of_options_are_values_and_no_more(tmp_path: Path) -> None:
    evil = 'x"\n[mcp_servers.evil]\ncommand = "touch'
    with home.codex_home(tmp_path, Settings(model=evil, base_url=evil), Login(key=KEY)):
        found = tomllib.loads((tmp_path / "config.toml").read_text())
    assert found["model"] == evil
    assert "mcp_servers" not in found


def test_codex_gets_no_variables_but_those_it_needs(tmp_path: Path) -> None:
    environ = {
        "PATH": "/bin",
        "HOME": "/root",
        "AWS_SECRET": "x",
        "https_proxy": "http://p",
        "SSL_CERT_FILE": "/ca",
        "RUST_LOG": "trace",
    }
    assert home.variables(tmp_path, Login(key=KEY), environ) == {
        "PATH": "/bin",
        "HOME": str(tmp_path),
        "CODEX_HOME": str(tmp_path),
        "https_proxy": "http://p",
        "SSL_CERT_FILE": "/ca",
        home.KEY: KEY,
    }


def test_only_static_programs_run_in_any_container(tmp_path: Path) -> None:
    assert program.is_static(elf(tmp_path / "static", 1, 2))
    assert not program.is_static(elf(tmp_path / "dynamic", 1, 3))
    cut = tmp_path / "cut"
    cut.write_bytes(elf(tmp_path / "static", 1).read_bytes()[:70])
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    assert [program.is_static(path) for path in (cut, script, tmp_path, tmp_path / "none")] == [False] * 4


def test_a_program_of_the_users_own_is_shown_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = elf(tmp_path / "bin/codex", 1)
    found = program.find(str(path))
    assert (found.mount.source, found.mount.target) == (path, found.inside)
    monkeypatch.setenv("PATH", str(path.parent))
    assert program.find() == program.Program(path, "PATH")
    with pytest.raises(UsageError, match="by its whole path"):
        program.find("codex")
    elf(path, 1, 3)
    with pytest.raises(UsageError, match="no static program"):
        program.find()


def test_a_package_is_shown_whole(tmp_path: Path) -> None:
    path = elf(tmp_path / "vendor/bin/codex", 1)
    (tmp_path / "vendor/codex-package.json").write_text('{"version": "0.169.1"}')
    found = program.find(str(path))
    assert (found.version, found.mount.source, found.inside) == (
        "0.169.1",
        tmp_path / "vendor",
        f"{program.INSIDE}/bin/codex",
    )


@pytest.mark.parametrize(
    ("version", "good"), [("0.166.0", True), ("0.169.3-alpha", True), ("0.170.0", False), ("0.9.0", False), ("", False)]
)
def test_which_versions_were_tried(version: str, good: bool) -> None:
    assert program.tested(version) is good


def test_what_is_missing_is_told_all_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("OPENAI_API_KEY", "CODEX_HOME"):
        monkeypatch.delenv(name, raising=False)
    missing = agent("codex").check({}, tmp_path)
    assert ["fumehood agent install codex" in missing[0], "OPENAI_API_KEY" in missing[1], len(missing)] == [
        True,
        True,
        2,
    ]
    assert agent("codex").check({"wrong": "x"}, tmp_path) == [
        "option 'wrong' is unknown (known in [agent.options] of codex: model, effort, base_url, key_env, program)"
    ]


def test_containers_show_what_their_agent_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = elf(tmp_path / "bin/codex", 1)
    monkeypatch.setenv("PATH", str(path.parent))
    (tmp_path / "fumehood.toml").write_text('name = "x"\n')
    environment = load(tmp_path / "fumehood.toml")
    assert [mount.source for mount in mounts(environment)] == [path]
    assert list(mounts(environment, "command")) == []
    path.unlink()
    assert list(mounts(environment)) == []
