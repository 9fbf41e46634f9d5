"""The store: encrypted, for this user alone, and anything wrong with it is said, never passed over."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.environment.load import load
from engine.environment.model import Environment
from engine.errors import EngineError, UsageError
from engine.secrets import identity
from engine.secrets.store import LONGEST_VALUE, Store
from engine.state import config_dir

VALUE = b"tok-ABCDEFGH12345678"


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    path = tmp_path / "fumehood.toml"
    path.write_text('name = "web"\n[secrets]\nTOKEN = {}\n')
    return load(path)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(value=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_what_is_set_comes_back(environment: Environment, value: str) -> None:
    Store(environment).set("TOKEN", value.encode())
    assert Store(environment).values(["TOKEN"])["TOKEN"].reveal() == value.encode()


def test_nothing_of_the_value_is_on_disk_and_nobody_else_may_read(
    environment: Environment, isolated_home: Path
) -> None:
    Store(environment).set("TOKEN", VALUE)
    files = [path for path in isolated_home.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"identity.txt", "TOKEN.age"}
    assert all(b"ABCDEFGH" not in path.read_bytes() and mode(path) == 0o600 for path in files)
    assert all(mode(path) == 0o700 for path in isolated_home.rglob("fumehood/**/") if path.is_dir())


def test_names_need_no_key(environment: Environment) -> None:
    store = Store(environment)
    assert store.names() == {}
    store.set("TOKEN", VALUE)
    store.set("A", VALUE)
    (config_dir() / "identity.txt").unlink()
    assert list(store.names()) == ["A", "TOKEN"]
    store.remove("A")
    assert list(store.names()) == ["TOKEN"]
    with pytest.raises(UsageError, match="there is no secret A"):
        store.remove("A")


def test_missing_values_are_named_with_the_command_that_gives_them(environment: Environment) -> None:
    with pytest.raises(UsageError) as told:
        Store(environment).values(["TOKEN", "OTHER"])
    assert "secrets TOKEN, OTHER of web have no value" in told.value.message
    assert f"fumehood secret set OTHER --env {environment.path}" in told.value.hint


@pytest.mark.parametrize(
    "damage", [lambda d: d[:-1] + bytes([d[-1] ^ 1]), lambda d: d[:-9], lambda d: b"", lambda d: b"TOKEN=x"]
)
def test_a_changed_file_is_an_error_and_never_taken_as_it_is(environment: Environment, damage: object) -> None:
    assert callable(damage)
    store = Store(environment)
    store.set("TOKEN", VALUE)
    path = store.folder / "TOKEN.age"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(EngineError, match="cannot be decrypted") as told:
        store.values(["TOKEN"])
    assert "set the secret again" in told.value.hint


def test_files_that_changed_places_are_noticed(environment: Environment) -> None:
    store = Store(environment)
    store.set("A", VALUE)
    store.set("B", b"another-value-of-b")
    (store.folder / "A.age").replace(store.folder / "B.age")
    with pytest.raises(EngineError, match="files were moved"):
        store.values(["B"])


def test_another_or_a_missing_key_is_an_error(environment: Environment) -> None:
    Store(environment).set("TOKEN", VALUE)
    (config_dir() / "identity.txt").unlink()
    with pytest.raises(EngineError, match="is not there"):
        Store(environment).values(["TOKEN"])
    identity.read_or_make()
    with pytest.raises(EngineError, match="cannot be decrypted"):
        Store(environment).values(["TOKEN"])


@pytest.mark.parametrize("which", ["identity.txt", "secrets", "secrets/ID", "secrets/ID/TOKEN.age"])
def test_wider_modes_are_refused_not_mended(environment: Environment, which: str) -> None:
    Store(environment).set("TOKEN", VALUE)
    path = config_dir() / which.replace("ID", environment.id)
    path.chmod(mode(path) | 0o040)
    before = mode(path)
    with pytest.raises(EngineError, match="open to other users"):
        Store(environment).values(["TOKEN"])
    assert mode(path) == before


def test_a_key_file_of_no_known_kind_is_an_error(environment: Environment) -> None:
    Store(environment).set("TOKEN", VALUE)
    (config_dir() / "identity.txt").write_text("AGE-SECRET-KEY-1NOTREALLY\n")
    with pytest.raises(EngineError, match="not a key that age can use"):
        Store(environment).values(["TOKEN"])


def ssh_key(folder: Path, kind: str, passphrase: str = "") -> Path:
    path = folder / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", str(path)], check=True)
    return path


def test_the_users_ssh_key_serves(environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(identity.VARIABLE, str(ssh_key(tmp_path, "ed25519")))
    Store(environment).set("TOKEN", VALUE)
    assert Store(environment).values(["TOKEN"])["TOKEN"].reveal() == VALUE
    assert not (config_dir() / "identity.txt").exists()


@pytest.mark.parametrize(("kind", "passphrase"), [("ed25519", "words"), ("ecdsa", "")])
def test_an_ssh_key_that_age_cannot_use_is_an_error(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, passphrase: str
) -> None:
    monkeypatch.setenv(identity.VARIABLE, str(ssh_key(tmp_path, kind, passphrase)))
    with pytest.raises(EngineError, match="cannot be used"):
        Store(environment).set("TOKEN", VALUE)
    assert Store(environment).names() == {}


def test_a_key_that_the_user_named_is_never_made(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(identity.VARIABLE, str(tmp_path / "nothing"))
    with pytest.raises(EngineError, match="is not there"):
        Store(environment).set("TOKEN", VALUE)
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("name", ["", "1X", "A=B", "../x", "A B", "é", "A" * 201, "A\n"])
def test_names_are_those_of_variables(environment: Environment, name: str) -> None:
    with pytest.raises(UsageError, match="no name of a secret"):
        Store(environment).set(name, VALUE)


@pytest.mark.parametrize("value", [b"", b"a\0b", b"\xff\xfe123456", b"x" * (LONGEST_VALUE + 1)])
def test_values_that_no_variable_can_hold_are_refused(environment: Environment, value: bytes) -> None:
    with pytest.raises(UsageError):
        Store(environment).set("TOKEN", value)


@pytest.mark.parametrize("value", [b"abc", b"1", b"true", b"password"])
def test_a_value_that_cannot_be_masked_is_kept_with_a_warning(environment: Environment, value: bytes) -> None:
    assert "cannot be masked" in Store(environment).set("TOKEN", value)
    assert Store(environment).values(["TOKEN"])["TOKEN"].reveal() == value


def test_somebody_elses_file_is_refused(environment: Environment) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a file away")
    Store(environment).set("TOKEN", VALUE)
    os.chown(config_dir() / "identity.txt", 12345, 12345)
    with pytest.raises(EngineError, match="belongs to another user"):
        Store(environment).values(["TOKEN"])
