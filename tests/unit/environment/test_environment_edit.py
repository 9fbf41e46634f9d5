"""One entry more in `[network] allow`, and not another byte changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.environment import trust
from engine.environment.edit import add_allowed
from engine.environment.load import load, parse
from engine.environment.rewrite import Append, changed
from engine.errors import EngineError

HEAD = 'name = "web" # [network]\n[agent]\nuse = "command"\ncommand = ["true", "]"]\n\n'
CASES = {
    "one line": (
        'agent = "limited"\nallow = ["a.org"] # why\n',
        'agent = "limited"\nallow = ["a.org", "x.org"] # why\n',
    ),
    "comma at the end": ('agent = "limited"\nallow = ["a.org",]\n', 'agent = "limited"\nallow = ["a.org", "x.org"]\n'),
    "empty": ('agent = "limited"\nallow = []\n', 'agent = "limited"\nallow = ["x.org"]\n'),
    "a line each": (
        'agent = "limited"\nallow = [\n    "a.org", # one, "two"]\n    \'[2606:4700::1]\'  # ] three\n    # four\n]\n',
        'agent = "limited"\nallow = [\n    "a.org", # one, "two"]\n    \'[2606:4700::1]\',  # ] three\n    "x.org"\n    # four\n]\n',
    ),
    "a line and a comma each": (
        'agent = "limited"\nallow = [\n\t"a.org", # one\n]\n\n[cache]\nttl = "1h"\n',
        'agent = "limited"\nallow = [\n\t"a.org", # one\n\t"x.org",\n]\n\n[cache]\nttl = "1h"\n',
    ),
    "Windows lines": (
        'agent = "limited"\r\nallow = [\r\n  "a.org",\r\n]\r\n',
        'agent = "limited"\r\nallow = [\r\n  "a.org",\r\n  "x.org",\r\n]\r\n',
    ),
    "no allow": (
        '# first\nagent = "limited" # second\n\n[cache]\nttl = "1h"\n',
        '# first\nagent = "limited" # second\nallow = ["x.org"]\n\n[cache]\nttl = "1h"\n',
    ),
    "no line end": ('agent = "limited"', 'agent = "limited"\nallow = ["x.org"]'),
}


@pytest.mark.parametrize("case", CASES)
def test_only_the_entry_is_added(case: str, tmp_path: Path) -> None:
    before, after = CASES[case]
    path = tmp_path / "fumehood.toml"
    path.write_bytes(f"{HEAD}[network]\n{before}".encode())
    path.chmod(0o640)
    environment = load(path)
    add_allowed(environment, "x.org")
    assert path.read_bytes() == f"{HEAD}[network]\n{after}".encode()
    assert load(path).network.allow == (*environment.network.allow, "x.org")
    assert path.stat().st_mode & 0o777 == 0o640


def test_dotted_keys(tmp_path: Path) -> None:
    path = tmp_path / "fumehood.toml"
    rest = HEAD.partition("\n")[2]
    path.write_text(f'name = "web"\nnetwork.agent = "limited" # so\n{rest}')
    add_allowed(load(path), "x.org")
    assert path.read_text() == f'name = "web"\nnetwork.agent = "limited" # so\nnetwork.allow = ["x.org"]\n{rest}'
    add_allowed(load(path), "y.org")
    assert load(path).network.allow == ("x.org", "y.org")


@pytest.mark.parametrize(
    "network", ['network = { agent = "limited" }', 'network = { agent = "limited", allow = ["a.org"] }']
)
def test_what_cannot_be_edited_is_refused_and_kept(network: str, tmp_path: Path) -> None:
    path = tmp_path / "fumehood.toml"
    path.write_text(f"{network}\n{HEAD}")
    with pytest.raises(EngineError, match="by hand") as refused:
        add_allowed(load(path), "x.org")
    assert '"x.org"' in refused.value.hint
    assert path.read_text() == f"{network}\n{HEAD}"


def test_trust_goes_over_and_links_stay(tmp_path: Path) -> None:
    real, path = tmp_path / "real.toml", tmp_path / "fumehood.toml"
    real.write_text(f'{HEAD}[network]\nagent = "limited"\n')
    path.symlink_to(real)
    environment = load(path)
    add_allowed(environment, "x.org")
    assert path.is_symlink()
    assert not trust.trusted(load(path))
    trust.trust(load(path))
    add_allowed(load(path), "y.org")
    assert trust.trusted(load(path))
    assert path.readlink() == real


_BITS = st.sampled_from(
    [
        "[network]\n",
        'agent = "limited"\n',
        "allow = ",
        "[",
        "]",
        '"a.org"',
        ",",
        "\n",
        " # c ]\n",
        "'b.org'",
        "[cache]\n",
        'ttl = "1h"\n',
        "network.allow = []\n",
        '"""\n',
        "deny = []\n",
    ]
)


@given(st.lists(_BITS, max_size=20).map("".join))
def test_an_edit_of_a_valid_file_is_valid_or_refused_and_only_inserts(text: str) -> None:
    data = f"{HEAD}{text}".encode()
    path = Path("/nowhere/fumehood.toml")
    before, _ = parse(data, path)
    if before is None:
        return
    try:
        text = changed(data, [Append(("network", "allow"), "x.org")])
    except EngineError:
        return
    after, _ = parse(text, path)
    assert after is None or after.network.allow == (*before.network.allow, "x.org")
    rest = iter(text)
    assert all(byte in rest for byte in data)
