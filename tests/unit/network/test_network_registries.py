"""Package registries: asked from clients of all kinds, read strictly, part of every preset (SPEC N3)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import NetworkError, UsageError
from engine.network.policy import make_policy
from engine.network.registries import DISCOVER, Found, Registries, parse
from engine.network.rules import parse_entry, preset_names

COREUTILS = ("env", "head", "sort", "timeout")
# What each client prints; the arguments it is called with stand before it. `sh` alone is theirs, not the script's.
CLIENTS = {
    "apt-get": "echo \"'https://me:hunter2@apt.test/d/dists/x/InRelease' apt.test_d 0\"",
    "cargo": "true",
    "gem": "echo '*** CURRENT SOURCES ***'; echo; echo https://gem.test/",
    "go": "[ $2 = GOPROXY ] && echo 'https://go.test,https://go2.test|direct' || echo sum.test+abc",
    "npm": 'echo \'{"registry": "https://npm.test/r/", "@a:registry": "https://a.npm.test/",'
    ' "x-registry": "https://no.test"}\' | tr , "\\n"',
    "poetry": "sleep 60",
    "python3": """case $* in
  *config*) echo "global.index-url='https://me:hunter2@pip.test/simple'"; echo "global.proxy='http://no.test:1'"
            printf '%s\\n' "install.extra-index-url='\\nhttps://b.test:8443/x\\nhttp://c.test/y'" ;;
  *PyPI*) echo https://default.test/simple; echo https://files.default.test ;;
esac""",
    "uv": "true",
    "yarn": "[ $3 = registry ] && echo https://yarn.test || echo undefined",
}
FILES = {
    "pyproject.toml": """[project]
urls = { home = "https://no.test" }
[[tool.poetry.source]]
name = "x"
url = "https://poetry.test/simple"
[[tool.uv.index]]
url = "https://uv.test/simple"
# url = "https://no.test"
[tool.uv.sources]
x = { git = "https://no.test" }
""",
    "Pipfile": '[[source]]\nurl = "https://pipenv.test/simple"\n[packages]\nx = "*"\n',
    ".cargo/config.toml": '[registries.a]\nindex = "sparse+https://cargo.test/i/"\n'
    '[source.m]\nregistry = "https://m.cargo.test"\n[http]\nproxy = "http://no.test"\n',
}
FOUND = {
    ("apt", "apt.test", 443),
    ("cargo", "cargo.test", 443),
    ("cargo", "m.cargo.test", 443),
    ("gem", "gem.test", 443),
    ("go", "go.test", 443),
    ("go", "go2.test", 443),
    ("go", "sum.test", 443),
    ("npm", "npm.test", 443),
    ("npm", "a.npm.test", 443),
    ("pip", "pip.test", 443),
    ("pip", "b.test", 8443),
    ("pip", "c.test", 80),
    ("pipenv", "pipenv.test", 443),
    ("poetry", "poetry.test", 443),
    ("poetry", "default.test", 443),
    ("poetry", "files.default.test", 443),
    ("uv", "uv.test", 443),
    ("uv", "default.test", 443),
    ("uv", "files.default.test", 443),
    ("yarn", "yarn.test", 443),
}


class Image:
    """A folder that plays an image: coreutils and clients of our own, nothing else."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.work, self.bashrc = folder / "bin", folder / "work", folder / "bashrc"
        self.bin.mkdir()
        self.work.mkdir()
        for name in COREUTILS:
            (self.bin / name).symlink_to(shutil.which(name) or "")

    def client(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\nPATH={os.environ['PATH']}\n{script}\n")
        path.chmod(0o755)

    def discover(self) -> str:
        argv = [shutil.which("bash") or "bash", "-c", DISCOVER, "fumehood", str(self.work), str(self.bashrc)]
        variables = {"PATH": str(self.bin), "HOME": str(self.work.parent), "LC_ALL": "C.UTF-8"}
        return subprocess.run(argv, env=variables, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return Image(tmp_path)


def hosts(registries: Registries) -> set[tuple[str, str, int]]:
    return {(found.tool, found.host, found.port) for found in registries.found}


def test_an_image_without_clients_has_no_registries(image: Image) -> None:
    assert parse(image.discover()) == Registries(())


def test_every_client_is_asked(image: Image) -> None:
    for name, script in CLIENTS.items():
        image.client(name, script)
    for path, content in FILES.items():
        (image.work / path).parent.mkdir(exist_ok=True)
        (image.work / path).write_text(content)
    output = image.discover()
    assert parse(output).notices == ()
    assert hosts(parse(output)) == FOUND
    assert "hunter2" not in output


def test_a_mirror_takes_the_place_of_the_default(image: Image) -> None:
    asked = 'echo "$INDEX"'
    image.client("python3", f"case $* in *config*) {asked} ;; *PyPI*) echo https://default.test/simple ;; esac")
    assert hosts(parse(image.discover())) == {("pip", "default.test", 443)}
    image.bashrc.write_text("echo noise https://no.test; export INDEX=\":env:.index-url='http://mirror.test:81/s'\"\n")
    assert hosts(parse(image.discover())) == {("pip", "mirror.test", 81)}


def test_settings_that_misbehave_do_no_harm(image: Image) -> None:
    image.client("gem", "echo https://gem.test/")
    image.bashrc.write_text("set -eu; sleep 50 & false || true; shopt -s nocaseglob; trap 'echo trapped' EXIT\n")
    os.mkfifo(image.work / "pyproject.toml")
    assert hosts(parse(image.discover())) == {("gem", "gem.test", 443)}
    image.bashrc.write_text("exit 3\n")
    with pytest.raises(subprocess.CalledProcessError):
        image.discover()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("pip\thttps://x.org", Found("pip", "x.org", 443)),
        ("apt\thttp://X.org.:3142", Found("apt", "x.org", 3142)),
        ("npm\thttps://u:p@x.org:8443/a?b#c", Found("npm", "x.org", 8443)),
        ("go\thttps://8.8.8.8", Found("go", "8.8.8.8", 443)),
        ("go\thttps://[2606:4700::1]:8443", Found("go", "2606:4700::1", 8443)),
    ],
)
def test_a_line_is_read(line: str, found: Found) -> None:
    assert parse(f"{line}\nend\n") == Registries((found,))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "pip",
        "pip\t",
        "make\thttps://x.org",
        "pip\tftp://x.org",
        "pip\thttps://x.org\thttps://y.org",
        "pip\thttps://localhost/simple",
        "pip\thttps://127.0.0.1",
        "pip\thttp://169.254.169.254",
        "pip\thttps://10.0.0.1:8443",
        "pip\thttps://0x7f.1",
        "pip\thttps://x.org:0",
        "pip\thttps://*.org",
        "pip\thttps://*",
        "pip\thttps://münchen.de",
        "pip\thttps://a..b",
        "pip\thttps://x.org\x1b[2J",
        "pip\thttps://" + "x." * 300 + "org",
    ],
)
def test_what_is_no_registry_is_said(line: str) -> None:
    read = parse(f"{line}\nend\n")
    assert read.found == ()
    assert len(read.notices) == 1
    assert read.notices[0].isprintable()
    assert len(read.notices[0]) < 300


@pytest.mark.parametrize("output", ["", "\n", "pip\thttps://x.org\n", "end\npip\thttps://x.org\nmore\n"])
def test_an_answer_that_is_not_whole_is_refused(output: str) -> None:
    with pytest.raises(NetworkError):
        parse(output)


@given(st.lists(st.text(max_size=40) | st.text(max_size=40).map(lambda t: f"pip\thttps://{t}"), max_size=5))
def test_entries_are_always_usable(lines: list[str]) -> None:
    for entry in parse("\n".join([*(line.replace("end", "") for line in lines), "end", ""])).entries:
        (rule,) = parse_entry(entry)
        assert rule.scope == "exact"
        assert rule.port


def test_many_are_cut_with_a_notice() -> None:
    read = parse("".join(f"pip\thttps://h{n}.org\n" for n in range(1000)) + "x\n" * 100 + "end\n")
    assert len(read.found) == 200
    assert "1000" in read.notices[0]


def test_every_preset_holds_the_registries() -> None:
    registries = parse("pip\thttp://mirror.test:3141\nend\n").entries
    for name in preset_names():
        policy = make_policy("limited", allow=[f"preset:{name}"], registries=registries)
        assert policy.decide("mirror.test", 3141, None).rule == f"=mirror.test:3141 (preset:{name})"
        assert not policy.decide("mirror.test", 443, None).allowed
        assert not policy.decide("sub.mirror.test", 3141, None).allowed


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_refused_while_the_registries_are_not_known(name: str) -> None:
    with pytest.raises(UsageError, match="not known"):
        make_policy("limited", allow=[f"preset:{name}"])
    assert not make_policy("limited", allow=["preset:registries"], registries=()).allow
