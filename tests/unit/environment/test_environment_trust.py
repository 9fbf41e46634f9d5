"""Trust in environment files: per content, with what changed since (SPEC E7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.bench import Bench
from engine.environment.load import load
from engine.environment.model import Environment, environments_dir
from engine.environment.trust import facts, require, review, revoke, trust, trusted
from engine.errors import Untrusted, UsageError
from engine.state import state_dir
from engine.tasks import supervisor
from engine.tasks.journal import read_all
from engine.tasks.model import fold
from engine.tasks.spec import TaskSpec, new_id

FULL = """\
name = "web"
[image]
name = "debian:bookworm"
[versions]
python = "3.12"
[setup]
script = "npm ci"
[variables]
A = "1"
[secrets]
NPM_TOKEN = {}
API = { hosts = ["api.example.com"], header = "X-Key" }
[network]
agent = "limited"
allow = ["x.org", "y.org"]
inspect = true
[resources]
memory = "1g"
[agent]
use = "command"
command = ["pytest", "-q"]
options = { model = "small" }
"""


def make(path: Path, text: str = 'name = "x"\n') -> Environment:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return load(path)


def test_trust_is_given_to_one_content_of_one_file(tmp_path: Path) -> None:
    first, other = make(tmp_path / "a" / "fumehood.toml"), make(tmp_path / "b" / "fumehood.toml")
    assert not trusted(first)
    trust(first)
    assert trusted(first)
    assert not trusted(other)
    second = make(first.path, 'name = "y"\n')
    assert not trusted(second)
    trust(second)
    assert trusted(first), "a content agreed to stays so"
    assert trusted(load(first.path.parent / ".." / first.path.parent.name / first.path.name))
    revoke(first.path)
    assert not trusted(first)
    assert not trusted(second)
    revoke(first.path)


def test_own_files_need_no_trust(tmp_path: Path) -> None:
    text = f'name = "x"\nrepository.url = "{tmp_path}"\n'
    assert trusted(make(environments_dir() / "web.toml", text))
    assert not trusted(make(environments_dir() / "clone" / "fumehood.toml", text))
    assert not trusted(make(environments_dir() / ".." / "x.toml", text))


@pytest.mark.parametrize("damage", [b"\xff", b"[", b"[]", b"{}", b'{"v": 1, "contents": [1]}', b"[" * 100_000])
def test_a_damaged_record_trusts_nothing_and_is_replaced(tmp_path: Path, damage: bytes) -> None:
    environment = make(tmp_path / "fumehood.toml")
    trust(environment)
    (record,) = (state_dir() / "trust").iterdir()
    record.write_bytes(damage)
    assert not trusted(environment)
    trust(environment)
    assert trusted(environment)


def test_a_hundred_contents_are_remembered(tmp_path: Path) -> None:
    contents = [make(tmp_path / "fumehood.toml", f'name = "x{n}"\n') for n in range(105)]
    for environment in contents:
        trust(environment)
    assert [trusted(environment) for environment in contents] == [False] * 5 + [True] * 100


def test_what_matters_for_security(tmp_path: Path) -> None:
    said = {fact.key: fact.value for fact in facts(make(tmp_path / "fumehood.toml", FULL))}
    assert said == {
        "repository.url": str(tmp_path),
        "image.name": "debian:bookworm",
        "versions.python": "3.12",
        "setup.script": "npm ci",
        "variables.A": "1",
        "secrets.NPM_TOKEN": "given to setup",
        "secrets.API": 'hosts = ["api.example.com"], header = X-Key',
        "network.agent": "limited",
        "network.allow": '["x.org", "y.org"]',
        "network.inspect": "true",
        "agent.use": "command",
        "agent.command": '["pytest", "-q"]',
        "agent.options": '{"model": "small"}',
    }


def test_a_refusal_says_what_changed(tmp_path: Path) -> None:
    environment = make(tmp_path / "fumehood.toml", FULL)
    with pytest.raises(Untrusted, match="is not trusted yet") as refused:
        require(environment)
    assert refused.value.hint.endswith(f"fumehood env trust {environment.path}")
    assert refused.value.exit_code == 2
    assert review(environment).changed is None
    trust(environment)
    require(environment)
    changed = make(environment.path, FULL.replace("npm ci", "npm i").replace('A = "1"', 'B = "1"').replace("1g", "2g"))
    assert review(changed).changed == ("setup.script", "variables.B", "variables.A")
    with pytest.raises(Untrusted, match=r"changed since you trusted it: setup\.script, variables\.B, variables\.A"):
        require(changed)
    harmless = make(environment.path, FULL.replace("1g", "2g"))
    with pytest.raises(Untrusted, match="nothing that matters for security"):
        require(harmless)


def test_the_front_desk_starts_nothing_that_is_not_trusted(tmp_path: Path) -> None:
    environment = make(tmp_path / "fumehood.toml", FULL)
    with pytest.raises(Untrusted):
        Bench(tmp_path).tasks.start(environment, "go", agent="nobody")
    Bench(tmp_path).environments.trust(environment)
    with pytest.raises(UsageError, match="unknown agent"):
        Bench(tmp_path).tasks.start(environment, "go", agent="nobody")


def test_a_file_that_changes_before_its_supervisor_reads_it_does_not_run(tmp_path: Path) -> None:
    environment = make(tmp_path / "fumehood.toml", FULL)
    trust(environment)
    spec = TaskSpec(new_id(), str(environment.path), "go", "command", "", 1, 0.0)
    spec.save()
    make(environment.path, FULL.replace("npm ci", "curl evil"))
    supervisor.supervise(spec.folder)
    state = fold(spec.id, read_all(spec.folder))
    assert state.status == "error"
    assert state.error is not None
    assert "changed since you trusted it: setup.script" in state.error.message


def test_what_is_written_here_is_trusted_and_editing_carries_trust_over(tmp_path: Path) -> None:
    bench, path = Bench(tmp_path), tmp_path / "fumehood.toml"
    bench.environments.write(path, {"name": "x"})
    assert trusted(load(path))
    edited = bench.environments.editing(path)
    path.write_text("name = 1")
    edited()
    path.write_text('name = "y"')
    assert not trusted(load(path)), "the file was unusable in between: nobody looked at this one"
    edited = bench.environments.editing(path)
    path.write_text('name = "z"')
    edited()
    assert not trusted(load(path)), "it was not trusted before"
    trust(load(path))
    edited = bench.environments.editing(path)
    path.write_text('name = "zz"')
    edited()
    assert trusted(load(path))
