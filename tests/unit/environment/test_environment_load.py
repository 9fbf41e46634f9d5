"""Strict, total loading (SPEC E1, E2, N4; SECURITY-CASES B01, B02, B04, B06, B11, G10)."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from engine.environment.kinds import keys
from engine.environment.load import check, load, parse, read
from engine.environment.model import Environment, environment_id, environments_dir
from engine.environment.problem import Problem
from engine.errors import EnvironmentInvalid

FULL = """\
name = "web"
[repository]
url = "."
default_branch = "main"
[image]
name = "ghcr.io/openai/codex-universal:latest"
[versions]
python = "3.12"
node = "22"
[setup]
auto = true
script = \"\"\"
pip install x
\"\"\"
timeout = "30m"
[maintenance]
script = "true"
watch = ["requirements*.txt", "package-lock.json"]
timeout = "5m"
on_failure = "continue"
[start]
script = "redis-server --daemonize yes"
ready = "curl -fs localhost:8000/health"
timeout = "60s"
[variables]
DJANGO_DEBUG = "1"
[secrets]
NPM_TOKEN = {}
PIP_TOKEN = { maintenance = true }
[network]
agent = "off"
allow = ["preset:common-dependencies", "*.example.com"]
deny = ["evil.test"]
methods = ["GET", "HEAD", "OPTIONS"]
[cache]
ttl = "12h"
enabled = true
[resources]
cpus = 2
memory = "4g"
pids = 512
disk = "10g"
[agent]
use = "command"
command = ["pytest", "-q"]
plan = "plans/path.json"
timeout = "1h"
options = { model = "small", retries = 3 }
"""


def problems(text: str, path: Path = Path("/project/fumehood.toml")) -> list[Problem]:
    return parse(text.encode(), path)[1]


def errors(text: str) -> list[str]:
    """Of the text below a valid name: `key: message` of each error."""
    return [f"{p.key}: {p.message}" for p in problems(f'name = "x"\n{text}') if p.severity == "error"]


def good(text: str, path: Path = Path("/project/fumehood.toml")) -> Environment:
    environment, found = parse(text.encode(), path)
    assert environment is not None, found
    return environment


def test_every_key_of_the_specification_is_read() -> None:
    environment = good(FULL)
    assert environment.name == "web"
    assert environment.repository.path == Path("/project")
    assert environment.versions == {"python": "3.12", "node": "22"}
    assert environment.setup.auto
    assert environment.setup.script == "pip install x\n"
    assert (environment.setup.timeout, environment.maintenance.timeout, environment.start.timeout) == (1800, 300, 60)
    assert environment.maintenance.on_failure == "continue"
    assert not environment.secrets["NPM_TOKEN"].maintenance
    assert environment.secrets["PIP_TOKEN"].maintenance
    assert environment.network.allow == ("preset:common-dependencies", "*.example.com")
    assert environment.resources.memory == 4 << 30
    assert environment.agent.command == ("pytest", "-q")
    assert environment.agent.options == {"model": "small", "retries": 3}
    assert problems(FULL) == []


def test_defaults() -> None:
    environment = good('name = "x"')
    assert environment.image.name == "fumehood/base:bookworm"
    assert (environment.cache.ttl, environment.cache.enabled) == (43200, True)
    assert (environment.setup.timeout, environment.maintenance.timeout, environment.start.timeout) == (1800, 600, 60)
    assert environment.agent.timeout == 3600
    resources = environment.resources
    assert (resources.cpus, resources.memory, resources.pids, resources.disk) == (2, 4 << 30, 512, 10 << 30)
    assert (environment.network.agent, environment.network.methods) == ("off", ())
    assert environment.maintenance.on_failure == "fail"


def test_all_problems_come_at_once_with_their_lines() -> None:
    found = problems(
        'name = "x"\n'
        "mounts = ['/:/host']\n"
        "[setup]\n"
        'scrpt = """\n[fake]\n"""\n'
        'timeout = "30 minutes"\n'
        '[network]\nallow = ["a.test",\n 3]\nagent = "limited"\nmethods = ["GET"]\n'
        "[secrets.A]\nmaintenance = 1\n"
        '[image]\nname = "debian"\nbuild = "Dockerfile"\n'
    )
    assert [(p.line, p.key, p.hint) for p in found if p.key == "setup.scrpt"] == [
        (4, "setup.scrpt", "did you mean script?")
    ]
    assert [(p.line, p.key) for p in found] == [
        (2, "mounts"),
        (4, "setup.scrpt"),
        (7, "setup.timeout"),
        (9, "network.allow[1]"),
        (12, "network.methods"),
        (14, "secrets.A.maintenance"),
        (17, "image.build"),
    ]


def test_the_error_names_file_line_and_key(tmp_path: Path) -> None:
    path = tmp_path / "fumehood.toml"
    path.write_text('name = "x"\n[cache]\nttl = "13h"\n')
    with pytest.raises(EnvironmentInvalid) as caught:
        load(path)
    assert str(caught.value) == f"{path}: line 3: cache.ttl: must be at most 12h"
    assert caught.value.problems == tuple(check(path))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("data", "message", "line"),
    [
        (b'name = "x"\na = ' + b"[" * 2000, "nested deeper", None),
        (b"a = " + b"{b = " * 2000 + b"1" + b"}" * 2000, "nested deeper", None),
        (b".".join([b"a"] * 20000) + b" = 1", "nested deeper", None),
        (b"[" + b" . ".join([b"a"] * 20000) + b"]", "nested deeper", None),
        (b"a = {" + b".".join([b"'a'"] * 20000) + b" = 1}", "nested deeper", None),
        (b'\xef\xbb\xbfname = "x"', "byte order mark", 1),
        (b'name = "x"\nb = "\xff"', "0xff is not UTF-8", 2),
        (b"a = " + b"9" * 5000, "out of range", None),
        (b"a = 2024-02-31", "", 1),
        (b'name = "x"\nname = "y"', "overwrite", 2),
        (b'name = "x"\n[setup]\n[setup]', "declare", 3),
        (b"name = ", "not valid TOML", 1),
        (b'name = "x', "not valid TOML", 1),
        (b"# x\n" * 5_000_000, "larger than 1 MiB", None),
        (b'"\x00" = 1', "not valid TOML", 1),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else str(value),
)
def test_hostile_bytes_are_one_problem(data: bytes, message: str, line: int | None) -> None:
    environment, found = parse(data, Path("/project/fumehood.toml"))
    assert environment is None
    assert len(found) == 1
    assert message in found[0].message
    if line is not None:
        assert found[0].line == line


@pytest.mark.parametrize(
    "text",
    [
        "[resources]\npids = 0x" + "f" * 20000,
        "[resources]\ncpus = nan",
        "[resources]\ncpus = -inf",
        "[resources]\ncpus = true",
        "[cache]\nttl = nan",
        "[cache]\nttl = -1",
        "[cache]\nttl = 2024-01-01",
        '[cache]\nttl = ""',
        '[cache]\nttl = "99999999999999h"',
        "[cache]\nttl = true",
        '[resources]\nmemory = "4 gigabytes"',
        '[resources]\nmemory = "1k"',
        "setup = 3",
        "setup = [{script = 'x'}]",
        "[versions]\npython = 3.12",
        '[versions]\npyton = "3.12"',
        '[agent]\nuse = "gpt"',
        '[agent]\nuse = "replay"',
        '[agent]\ncommand = "pytest -q"',
        "[agent]\noptions = {since = 2024-01-01}",
        '[agent]\nplan = "../plan.json"',
        '[image]\nbuild = "/etc/Dockerfile"',
        '[image]\nbuild = "sub/../../Dockerfile"',
        '[image]\nname = "-v/:/host"',
        '[image]\nname = "debian bookworm"',
        '[image]\nname = ""',
        '[maintenance]\nwatch = ["../x"]',
        '[maintenance]\nwatch = ["/etc/passwd"]',
        '[repository]\ndefault_branch = "HEAD~1"',
        '[repository]\ndefault_branch = "--upload-pack=x"',
        '[setup]\nscript = "a\\u0000b"',
        '[variables]\nA = "1"\n[secrets]\nA = {}',
        '[network]\nallow = ["a\\nb"]',
        '[network]\nallow = [""]',
        '[network]\nallow = [" a.test "]',
        "[network]\nmethods = []",
        '[network]\nmethods = ["get"]',
    ],
)
def test_bad_values_are_one_error_each(text: str) -> None:
    assert len(errors(text)) == 1


def test_a_secret_written_into_the_file_is_refused_and_not_repeated() -> None:
    (problem,) = problems('name = "x"\n[secrets]\nTOKEN = "s3kr1t"')
    assert "s3kr1t" not in problem.message + problem.hint
    assert "secret set" in problem.hint


@pytest.mark.parametrize(
    "text",
    [
        "privileged = true",
        'mounts = ["/:/host"]',
        'pid = "host"',
        '[network]\nnetwork = "host"',
        '[resources]\ndevices = ["/dev/kvm"]',
        '[image]\nrun_args = ["--privileged"]',
    ],
)
def test_keys_that_would_open_the_host_do_not_exist(text: str) -> None:
    (error,) = errors(text)
    assert error.endswith(": unknown key")


@pytest.mark.parametrize("name", ["", "1X", "A B", "A=B", "BASH_FUNC_ls%%", "a-b", "Ä", "x" * 300, "a\\u0000b"])
@pytest.mark.parametrize("section", ["variables", "secrets"])
def test_variable_names_are_limited(name: str, section: str) -> None:
    value = '"1"' if section == "variables" else "{}"
    (error,) = errors(f'[{section}]\n"{name}" = {value}')
    assert "is not the name of a variable" in error


@pytest.mark.parametrize("name", ["LD_PRELOAD", "BASH_ENV", "PATH", "HOME", "https_proxy", "HTTPS_PROXY"])
def test_risky_variables_are_warnings(name: str) -> None:
    environment, found = parse(f'name = "x"\n[variables]\n{name} = "1"'.encode(), Path("/p/fumehood.toml"))
    assert environment is not None
    assert [(p.severity, p.key, p.line) for p in found] == [("warning", f"variables.{name}", 3)]


def test_variable_values_arrive_as_written() -> None:
    environment = good('name = "x"\n[variables]\nA = "two\\nlines\\u001b[0m\\r"\nB = ""')
    assert environment.variables == {"A": "two\nlines\x1b[0m\r", "B": ""}
    assert "NUL" in errors('[variables]\nA = "a\\u0000b"')[0]
    assert "larger than" in errors(f'[variables]\nA = "{"é" * 100_000}"')[0]
    assert "in quotes" in problems('name = "x"\n[variables]\nA = 1')[0].hint


@pytest.mark.parametrize(
    "name",
    ["../../etc", "a/b", ".", "..", "", " ", "x" * 300, "-x", "a\\nb", "a\\u001b[2J", "a\\u202eb", " a", "a\\\\b"],
)
def test_bad_names(name: str) -> None:
    assert [p.key for p in problems(f'name = "{name}"')] == ["name"]


@pytest.mark.parametrize("name", ["x", "A", "a", "my web", "🧪", "Ünïcode", "a.b-c_d", "x" * 100])
def test_ids_are_safe_whatever_the_name(name: str) -> None:
    environment = good(f'name = "{name}"')
    slug, _, digest = environment.id.rpartition("-")
    assert slug.replace("-", "").isalnum()
    assert slug.isascii()
    assert slug == slug.lower()
    assert "--" not in environment.id
    assert len(digest) == 8
    assert len(environment.id) <= 49


def test_ids_differ_for_every_file() -> None:
    paths = (Path("/a/fumehood.toml"), Path("/b/fumehood.toml"))
    assert len({environment_id("web", path) for path in paths}) == 2


@pytest.mark.parametrize(
    ("entry", "severity"),
    [('agent = "limited"\nallow = ["a.test"]', "error"), ('agent = "full"', "error"), ('agent = "off"', "")],
)
def test_method_limits_that_cannot_be_enforced_are_refused(entry: str, severity: str) -> None:
    found = problems(f'name = "x"\n[network]\n{entry}\nmethods = ["GET"]')
    assert [p.severity for p in found] == ([severity] if severity else [])
    assert all("needs TLS inspection" in p.message and "inspect = true" in p.hint for p in found)
    assert problems(f'name = "x"\n[network]\n{entry}\nmethods = ["GET"]\ninspect = true') == []


@pytest.mark.parametrize("secret", ['hosts = ["api.example.com"]', 'header = "Authorization"'])
def test_network_secrets_need_inspection(secret: str) -> None:
    (error,) = errors(f"[secrets]\nKEY = {{{secret}}}")
    assert "needs TLS inspection" in error
    hosts = 'hosts = ["api.example.com"]'
    both = secret if secret == hosts else f"{secret}, {hosts}"
    environment = good(f'name = "x"\n[network]\ninspect = true\n[secrets]\nKEY = {{{both}}}')
    assert environment.secrets["KEY"].hosts == ("api.example.com",)


def test_a_network_secret_needs_hosts() -> None:
    (error,) = errors('[network]\ninspect = true\n[secrets]\nKEY = {header = "Authorization"}')
    assert error == "secrets.KEY.header: needs hosts"


@pytest.mark.parametrize(
    "entry",
    ["https://index.example.org/", "index.example.org:443", "*.", "*", "a..b", "1.2.3.4", "[::1]", "münchen.de"],
)
def test_allow_entries_are_left_to_the_policy(entry: str) -> None:
    environment = good(f'name = "x"\n[network]\nagent = "limited"\nallow = ["{entry}"]')
    assert environment.network.allow == (entry,)


def test_scripts() -> None:
    text = "name = \"x\"\r\n[setup]\r\nscript = '''\r\necho \"$A\" `b` \\\\\r\nEOF\r\n'''\r\n"
    environment = good(text)
    # TOML lets a reader give line ends as \n; bash could not run \r\n.
    assert environment.setup.script == 'echo "$A" `b` \\\\\nEOF\n'
    assert good('name = "x"\n[setup]\nscript = "a\\r\\nb"').setup.script == "a\r\nb"


def test_reading_is_limited_to_regular_files(tmp_path: Path) -> None:
    large = tmp_path / "large.toml"
    with large.open("wb") as file:
        file.truncate(20 << 20)
    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)
    device = tmp_path / "zero.toml"
    device.symlink_to("/dev/zero")
    cases = {
        large: "larger than 1 MiB",
        pipe: "not a regular file",
        device: "not a regular file",
        tmp_path: "cannot be read: Is a directory",
        tmp_path / "missing.toml": "does not exist",
        tmp_path / ("x" * 300): "cannot be read",
        tmp_path / "a\0b": "cannot be read",
    }
    for path, message in cases.items():
        environment, found = read(path)
        assert environment is None
        assert [message in p.message for p in found] == [True], found


def test_a_bad_file_does_not_affect_another(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[" * 2000)
    (tmp_path / "good.toml").write_text('name = "good"')
    assert check(tmp_path / "bad.toml")
    assert load(tmp_path / "good.toml").name == "good"


def test_a_flood_of_problems_is_cut() -> None:
    found = problems("\n".join(f"k{n} = 1" for n in range(50_000)))
    assert len(found) == 100


def test_warnings_do_not_hide_an_error() -> None:
    risky = "\n".join(f'{"x" * n}_proxy = "1"' for n in range(1, 150))
    environment, found = parse(
        f'name = "x"\n[variables]\n{risky}\n[secrets]\nA = {{hosts = ["a.test"]}}'.encode(), Path("/p/fumehood.toml")
    )
    assert environment is None
    assert [p.key for p in found if p.severity == "error"] == ["secrets.A.hosts"]


def test_key_names_cannot_steer_a_terminal() -> None:
    (problem,) = [p for p in problems('name = "x"\n"\\u001b]52;c;x\\u0007" = 1') if p.key != "name"]
    assert str(problem).isprintable()


URLS = {
    "https://example.org/a/b.git": "https://example.org/a/b.git",
    "https://example.org:8443/a": "https://example.org:8443/a",
    "ssh://git@example.org:2222/a/b": "ssh://git@example.org:2222/a/b",
    "ssh://example.org/~me/b": "ssh://example.org/~me/b",
    "git@example.org:a/b.git": "git@example.org:a/b.git",
    ".": "/project",
    "..": "/",
    "sub/with space": "/project/sub/with space",
    "./odd:name": "/project/odd:name",
    "/srv/git/a.git": "/srv/git/a.git",
}


@pytest.mark.parametrize("url", URLS)
def test_repository_urls_that_are_taken(url: str) -> None:
    repository = good(f"name = 'x'\n[repository]\nurl = '{url}'").repository
    assert repository.url == URLS[url]
    assert (repository.path is None) == ("@" in url or "://" in url)


def test_home_and_folder_of_a_local_repository(isolated_home: Path) -> None:
    assert good('name = "x"\n[repository]\nurl = "~/src"').repository.path == isolated_home / "src"
    assert good('name = "x"', Path("/project/.fumehood/web.toml")).repository.path == Path("/project")
    own = environments_dir() / "web.toml"
    assert [p.key for p in problems('name = "x"', own)] == ["repository.url"]


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% /tmp/x",
        "fd::17/foo",
        "--upload-pack=x",
        "-oProxyCommand=x",
        "ssh://-oProxyCommand=x/",
        "ssh://git@-oProxyCommand=x/y",
        "ssh://git:pw@example.org/x",
        "ssh://-l@example.org/x",
        "git@-oProxyCommand=x:y",
        "git@example.org:-x",
        "file:///etc",
        "http://u:p@h/",
        "http://h/x",
        "https://u:p@h/x",
        "https://token@h/x",
        "https://h",
        "https://h/x?token=a",
        "u:p@h:x",
        "git://h/x",
        "HTTPS://u:p@h/x",
        "example.org:a/b",
        "~root/x",
        "https://h/x\\ny",
        "/srv/a\\u001bb",
        "",
    ],
)
def test_repository_urls_that_are_refused(url: str) -> None:
    (error,) = errors(f'[repository]\nurl = "{url}"')
    assert error.startswith("repository.url: ")
    assert "u:p" not in error
    assert "token" not in error


@given(st.binary(max_size=400))
def test_any_bytes_give_an_environment_or_problems(data: bytes) -> None:
    environment, found = parse(data, Path("/project/fumehood.toml"))
    assert (environment is None) == any(p.severity == "error" for p in found)
    assert all(str(p).isprintable() for p in found), found


_toml_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.text(st.characters(codec="utf-8"), max_size=20),
        st.integers(),
        st.floats(),
        st.booleans(),
        st.dates(),
        st.sampled_from(["https://h/x", "30m", "4g", "limited", "GET", "replay", "../x", "a.test"]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["A", "b", "", "hosts"]), inner),
    max_leaves=6,
)


def _tables() -> st.SearchStrategy[dict[str, Any]]:
    sections = {}
    for name, key in keys(Environment).items():
        section = getattr(key.kind, "section", None)
        names = list(keys(section)) if section is not None else ["python", "TOKEN", "x y"]
        sections[name] = _toml_values | st.dictionaries(st.sampled_from(names), _toml_values, max_size=3)
    return st.fixed_dictionaries({"name": st.just("x")}, optional={k: v for k, v in sections.items() if k != "name"})


@given(_tables())
def test_any_toml_gives_an_environment_or_problems(data: dict[str, Any]) -> None:
    text = tomli_w.dumps(data)
    tomllib.loads(text)
    environment, found = parse(text.encode(), Path("/project/fumehood.toml"))
    assert (environment is None) == any(p.severity == "error" for p in found)
    assert all(str(p).isprintable() for p in found), found


def test_loading_imports_nothing_heavy(tmp_path: Path) -> None:
    path = tmp_path / "fumehood.toml"
    path.write_text(FULL)
    heavy = {"docker", "git", "asyncio", "json", "difflib", "tomli_w", "engine.state", "secrets"}
    script = (
        "import sys; from pathlib import Path; from engine.environment.load import load;"
        f"load(Path({str(path)!r})); print(*(set(sys.modules) & {heavy!r}))"
    )
    root = Path(__file__).parents[3]
    run = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
