"""Storing what the user edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.bench import Bench
from engine.environment.rewrite import Put
from engine.environment.save import ChangedMeanwhile, content, save, sha256
from engine.errors import EngineError, EnvironmentInvalid

TEXT = b'name = "w"\n[agent]\nuse = "loop"\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A valid file."""
    found = tmp_path / "fumehood.toml"
    found.write_bytes(TEXT)
    found.chmod(0o640)
    return found


def test_a_link_stays_one_and_permissions_stay(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    save(link, TEXT + b"# more\n", before=sha256(TEXT))
    assert link.is_symlink()
    assert path.read_bytes() == TEXT + b"# more\n"
    assert path.stat().st_mode & 0o777 == 0o640


def test_what_somebody_else_wrote_is_not_lost(path: Path) -> None:
    path.write_bytes(TEXT + b"# other\n")
    with pytest.raises(ChangedMeanwhile):
        save(path, b"mine", before=sha256(TEXT))
    path.unlink()
    with pytest.raises(ChangedMeanwhile):
        save(path, b"mine", before=sha256(TEXT))
    assert not path.exists()
    save(path, b"mine", before=None)
    assert content(path) == b"mine"


def test_a_change_that_makes_the_file_unusable_is_refused(path: Path) -> None:
    bench = Bench(path.parent)
    with pytest.raises(EnvironmentInvalid, match="must be one of"):
        bench.environments.change(path, [Put(("network", "agent"), "some")])
    assert path.read_bytes() == TEXT
    edited = bench.environments.change(path, [Put(("variables", "A"), "1")])
    assert edited.effect is not None
    assert edited.effect.text == "this invalidates the snapshot: variable A added"
    assert path.read_bytes() == TEXT + b'\n[variables]\nA = "1"\n'


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="does not exist"):
        content(tmp_path / "gone.toml")
