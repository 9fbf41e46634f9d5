"""Importing environment files of other tools (SPEC E3): nothing is run, nothing fails without a message."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.environment.importers.formats import FORMATS, Imported, choose, imported, sources
from engine.environment.init import initial, write
from engine.environment.load import check, load
from engine.errors import EngineError, UsageError

FILES = {
    "codex": ".codex/environments/environment.toml",
    "cursor": ".cursor/environment.json",
    "container-use": ".container-use/environment.json",
    "devcontainer": ".devcontainer/devcontainer.json",
    "copilot": ".github/workflows/copilot-setup-steps.yml",
}
SCRIPTS = {"codex-scripts": ".codex", "codex-cloud": ".codex/cloud"}


def _samples(name: str) -> dict[str, str]:
    text = (Path(__file__).parent / "samples" / f"{name}.txt").read_text()
    parts = [part.split("\n", 1) for part in text.removeprefix("=== ").split("\n=== ")]
    return {part[0]: part[1] for part in parts}


SAMPLES = {name: _samples(name) for name in FILES}
SCRIPT_SAMPLES = _samples("scripts")
ALL = [(name, title) for name in FILES for title in SAMPLES[name]]


def lay(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def take(folder: Path, name: str = "") -> Imported:
    """Import what lies in a folder; what is written passes as a file of ours."""
    source, _ = choose(folder, name)
    path = folder / "fumehood.toml"
    result = imported(source, initial(folder), path)
    write(path, result.data, force=True)
    assert [problem for problem in check(path) if problem.severity == "error"] == []
    assert tomllib.loads(path.read_text()) == result.data
    load(path)
    return result


def sample(folder: Path, name: str, title: str, **files: str) -> Imported:
    return take(lay(folder, {FILES[name]: SAMPLES[name][title], **files}))


def told(result: Imported) -> list[str]:
    return [str(line) for line in result.report]


def test_there_are_twenty_samples_of_each() -> None:
    assert [len(found) for found in (*SAMPLES.values(), SCRIPT_SAMPLES)] == [20] * 6


@pytest.mark.parametrize(("name", "title"), ALL)
def test_every_sample_becomes_a_valid_file_and_every_key_is_told_of(tmp_path: Path, name: str, title: str) -> None:
    if (name, title) == ("copilot", "no job"):
        with pytest.raises(EngineError, match="has no job copilot-setup-steps"):
            sample(tmp_path, name, title)
        return
    result = sample(tmp_path, name, title)
    for part in ("setup", "maintenance", "start"):
        script = result.data.get(part, {}).get("script", "")
        parsed = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert parsed.stderr == "", script
    lines = told(result)
    assert all("\n" not in line and len(line) < 500 for line in lines)
    if name in ("cursor", "container-use"):
        data = json.loads(SAMPLES[name][title]) if title not in ("comments",) else {}
        quiet = ("$schema", "workdir")
        for key, value in data.items():
            empty = value in ("", None, [], {}) or not str(value).strip()
            assert empty or key in quiet or any(line.startswith(key) for line in lines), (key, lines)


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("title", SCRIPT_SAMPLES)
def test_every_sample_of_scripts(tmp_path: Path, name: str, title: str) -> None:
    parts = [part.partition("\n") for part in SCRIPT_SAMPLES[title].removeprefix("--- ").split("--- ")]
    files = {f"{SCRIPTS[name]}/{file}": content for file, _, content in parts}
    result = take(lay(tmp_path, files))
    seen = [file for file in files if name == "codex-cloud" or file.endswith(("setup.sh", "maintenance.sh"))]
    assert sorted({line.key for line in result.report if line.target != "maintenance.watch"}) == sorted(seen)


def test_codex(tmp_path: Path) -> None:
    result = sample(tmp_path, "codex", "one system each")
    assert result.data["name"] == "desktop"
    assert result.data["setup"]["script"] == "set -e\nsudo apt-get install -y libgtk-3-dev\nmake deps\n"
    assert told(result) == [
        "name → name",
        "setup.script: not taken over: setup.linux.script takes its place",
        "setup.linux.script → setup.script",
        "setup.darwin: not taken over: for another system; containers run Linux",
        "setup.win32: not taken over: for another system; containers run Linux",
    ]


def test_codex_scripts_find_their_checkout(tmp_path: Path) -> None:
    script = sample(tmp_path, "codex", "several lines").data["setup"]["script"]
    assert script.startswith('set -e\nexport CODEX_WORKTREE_PATH=$PWD\nset -eu\ncd "$CODEX_WORKTREE_PATH"\n')


def test_scripts_are_called_where_they_lie(tmp_path: Path) -> None:
    lay(
        tmp_path, {".codex/setup.sh": "#!/bin/bash\nnpm ci\n", ".codex/maintenance.sh": "#!/usr/bin/env bash\nnpm ci\n"}
    )
    result = take(tmp_path)
    assert result.data["setup"] == {"script": "set -e\nbash .codex/setup.sh\n"}
    assert result.data["maintenance"] == {
        "watch": [".codex/maintenance.sh"],
        "script": "set -e\nbash .codex/maintenance.sh\n",
    }


def test_a_script_of_another_language_is_not_called(tmp_path: Path) -> None:
    result = take(lay(tmp_path, {".codex/cloud/setup.sh": "#!/usr/bin/env python3\n", ".codex/cloud/lib.sh": ""}))
    assert told(result) == [
        ".codex/cloud/lib.sh: not taken over: neither setup nor maintenance; call it from one of them if it belongs there",
        ".codex/cloud/setup.sh: not taken over: is no shell script: #!/usr/bin/env python3",
    ]


def test_cursor(tmp_path: Path) -> None:
    result = sample(tmp_path, "cursor", "terminals")
    assert result.data["setup"] == {"script": "set -e\nbundle install && bin/rails db:prepare\n"}
    assert result.data["maintenance"] == result.data["setup"]
    assert result.data["start"]["script"] == (
        "set -e\n"
        "sudo service postgresql start && sudo service redis-server start\n"
        "nohup bash -c 'bin/rails server -b 0.0.0.0' >/tmp/rails.log 2>&1 &\n"
        "nohup bash -c 'bin/webpack --watch \"quoted\" '\"'\"'single'\"'\"'' >/tmp/web-pack-dev.log 2>&1 &\n"
    )
    assert told(result)[0] == "install → setup.script and maintenance.script: runs again on every resume"


@pytest.mark.parametrize(
    ("title", "files", "build"),
    [
        ("dockerfile beside it", {}, ".cursor/Dockerfile"),
        ("dockerfile from the project", {".cursor/Dockerfile": ""}, ".cursor/Dockerfile"),
        ("dockerfile above", {}, "docker/dev.Dockerfile"),
    ],
)
def test_dockerfiles_of_cursor(tmp_path: Path, title: str, files: dict[str, str], build: str) -> None:
    assert sample(tmp_path, "cursor", title, **files).data["image"] == {"build": build}


@pytest.mark.parametrize("name", ["cursor", "devcontainer"])
def test_a_dockerfile_outside_is_left(tmp_path: Path, name: str) -> None:
    result = sample(tmp_path, name, "dockerfile outside")
    assert "image" not in result.data
    assert told(result) == ["build.dockerfile: not taken over: lies outside the project"]


def test_container_use(tmp_path: Path) -> None:
    result = sample(tmp_path, "container-use", "both lists")
    assert result.data["image"] == {"name": "node:22-bookworm"}
    script = "set -e\ncorepack enable\npnpm install\n(\ncd web && pnpm build\n)\n(\nexport A=1\n)\n"
    assert result.data["setup"] == {"script": script}


def test_secrets_of_container_use_are_declared_and_not_copied(tmp_path: Path) -> None:
    result = sample(tmp_path, "container-use", "secrets")
    assert result.data["secrets"] == {"API_KEY": {}, "TOKEN": {}, "CERT": {}, "PLAIN": {}}
    lines = told(result)
    assert "hunter2" not in "\n".join(lines) + (tmp_path / "fumehood.toml").read_text()
    assert (
        "secrets.API_KEY → secrets.API_KEY: was read by op://; give it its value: fumehood secret set API_KEY" in lines
    )


def test_a_secret_takes_the_place_of_a_variable(tmp_path: Path) -> None:
    data = sample(tmp_path, "container-use", "same name twice").data
    assert (data["secrets"], data.get("variables", {})) == ({"KEY": {}}, {})


def test_devcontainer_commands(tmp_path: Path) -> None:
    result = sample(tmp_path, "devcontainer", "all commands")
    assert result.data["setup"] == {"script": "set -e\napt-get update\nnpm ci\nnpm run build\n"}
    assert result.data["maintenance"] == {"script": "set -e\nnpm ci\n"}
    assert result.data["start"] == {"script": "set -e\nservice postgresql start\n"}
    assert told(result) == [
        "onCreateCommand → setup.script",
        "updateContentCommand → setup.script and maintenance.script: runs again on every resume",
        "postCreateCommand → setup.script",
        "postStartCommand → start.script: runs on every resume",
        "image → image.name",
        "initializeCommand: not taken over: runs on this machine; nothing of an environment does",
        "postAttachCommand: not taken over: nobody attaches to a task's container",
        "waitFor: not taken over: each phase waits for the one before",
    ]


def test_devcontainer_objects_and_lists(tmp_path: Path) -> None:
    data = sample(tmp_path, "devcontainer", "objects and lists").data
    assert data["setup"]["script"] == (
        "set -e\nnpm ci --prefer-offline\npsql -c 'select '\"'\"'it'\"'\"''\nbash -c 'echo \"a b\"'\n"
    )
    assert data["start"]["script"] == (
        "set -e\ncontainerWorkspaceFolder=$PWD\ngit config --global --add safe.directory ${containerWorkspaceFolder}\n"
    )


def test_values_of_this_machine_become_no_values(tmp_path: Path) -> None:
    result = sample(tmp_path, "devcontainer", "variables")
    assert result.data["variables"] == {"DJANGO_DEBUG": "1", "WORKERS": "4"}
    assert told(result)[3:] == [
        "containerEnv.HOME_OF_HOST: not taken over: a value of this machine; a secret of setup if it is one: "
        "HOME_OF_HOST = {} in [secrets]",
        "containerEnv.PLACE: not taken over: made of the work directory, which is /workspace/REPOSITORY",
        "remoteEnv.PATH: not taken over: append to ~/.bashrc in setup: "
        "echo 'export PATH=/opt/tool/bin:$PATH' >> ~/.bashrc",
        "remoteEnv.GONE: not taken over: takes a variable away; there is none",
        "remoteEnv.COPY: not taken over: made of $LANG inside the container; export it in ~/.bashrc from setup",
    ]
    result = sample(tmp_path, "devcontainer", "values of this machine in commands")
    assert result.data["setup"]["script"] == (
        "set -e\ncontainerWorkspaceFolder=$PWD\n"
        "echo ${USER:-nobody} ${HOME:-} ${TOKEN:-} > ${containerWorkspaceFolder}/who\n"
    )
    assert [line for line in told(result) if "TOKEN" in line] == [
        "postCreateCommand: ${localEnv:TOKEN}: not taken over: a value of this machine; "
        "declare it: TOKEN in [variables] or [secrets]"
    ]


def test_comments_and_commas_are_found_outside_of_text_only(tmp_path: Path) -> None:
    data = sample(tmp_path, "devcontainer", "trailing commas everywhere").data
    assert data["name"] == "commas"
    assert data["setup"]["script"] == "set -e\necho 'a,]' '// no comment' '/* nor this */'\n"


def test_what_would_open_the_host_is_left(tmp_path: Path) -> None:
    result = sample(tmp_path, "devcontainer", "the host")
    left = {line.key for line in result.report if line.note == "would open this machine to the container"}
    assert left == {"privileged", "capAdd", "securityOpt", "mounts", "workspaceMount"}


def test_features_come_with_a_hint(tmp_path: Path) -> None:
    lines = told(sample(tmp_path, "devcontainer", "features"))
    assert any("features/node:1" in line and "nvm" in line for line in lines)
    assert any("docker-in-docker" in line and "containers cannot start containers" in line for line in lines)
    assert any("poetry latest" in line for line in lines)


def test_requirements_are_resources(tmp_path: Path) -> None:
    data = sample(tmp_path, "devcontainer", "requirements").data
    assert data["resources"] == {"cpus": 4, "memory": "8gb", "disk": "32gb"}


def test_copilot(tmp_path: Path) -> None:
    result = sample(tmp_path, "copilot", "node")
    assert result.data["versions"] == {"node": "20"}
    assert result.data["setup"] == {"script": "set -e\nnpm ci\n"}
    assert told(result) == [
        "runs-on: not taken over: tasks run in a container of image.name",
        "permissions: not taken over: no token of the host enters a container",
        "steps[0] Checkout code: not taken over: every task has its own clone",
        "steps[1] Set up Node.js → versions.node: actions/setup-node, node-version 20",
        "steps[2] Install dependencies → setup.script",
    ]


def test_a_version_is_text_as_it_is_written(tmp_path: Path) -> None:
    assert sample(tmp_path, "copilot", "python as a number").data["versions"] == {"python": "3.10"}


def test_a_version_is_read_from_a_file_that_holds_nothing_else(tmp_path: Path) -> None:
    assert sample(tmp_path, "copilot", "version file", **{".nvmrc": "v22.4\n"}).data["versions"] == {"node": "22.4"}
    (tmp_path / ".nvmrc").write_bytes(b"\xff")
    result = take(tmp_path)
    assert "versions" not in result.data
    assert any("takes the version from .nvmrc; write it as versions.node" in line for line in told(result))


def test_versions_that_are_none(tmp_path: Path) -> None:
    result = sample(tmp_path, "copilot", "versions")
    assert result.data["versions"] == {"ruby": "3.4.4", "php": "8.4"}
    assert "steps[3]: not taken over: names no version; write versions.bun, or let setup install it" in told(result)


def test_secrets_of_workflows(tmp_path: Path) -> None:
    result = sample(tmp_path, "copilot", "secrets")
    assert result.data["secrets"] == {"NODE_AUTH_TOKEN": {}, "NPM_TOKEN": {}, "PIP_PASSWORD": {}}
    assert result.data["variables"] == {"REGISTRY": "https://npm.example.com"}
    assert result.data["setup"]["script"] == (
        'set -e\necho "//npm.example.com/:_authToken=${NPM_TOKEN}" > ~/.npmrc\n'
        '(\nexport PIP_INDEX_URL="https://x:${PIP_PASSWORD}@pip.example.com/\\`id\\`/\\$(id)"\n'
        'export PLAIN="it\'s"\npip install private\n)\n'
    )


def test_steps_keep_their_folder_their_tolerance_and_nothing_else(tmp_path: Path) -> None:
    script = sample(tmp_path, "copilot", "working directory").data["setup"]["script"]
    assert script == ('set -e\n(\ncd "./web app"\nnpm ci\n)\n(\nexport A=1\necho $A\n)\necho "A=${A:-gone}"\n')
    result = sample(tmp_path, "copilot", "conditions")
    assert result.data["setup"]["script"] == "set -e\necho one\necho two\n(\nnpm audit\n) || true\n"
    assert any(line.startswith("steps[2]: not taken over: only if steps.cache") for line in told(result))


def test_aliases_of_yaml(tmp_path: Path) -> None:
    data = sample(tmp_path, "copilot", "anchors").data
    assert (data["variables"], data["setup"]["script"]) == ({"A": "1", "B": "2"}, "set -e\nmake deps\nmake deps\n")


def test_detection_says_what_the_format_does_not(tmp_path: Path) -> None:
    lay(tmp_path, {"pyproject.toml": '[project]\nname = "p"\nversion = "1"\n'})
    detected = initial(tmp_path)
    data = sample(tmp_path, "devcontainer", "image").data
    assert data["setup"] == detected["setup"]
    assert data["image"]["name"].startswith("mcr.microsoft.com/")
    data = sample(tmp_path, "devcontainer", "template with comments").data
    assert data["setup"] == {"script": "set -e\nyarn install\n"}
    assert "maintenance" not in data, "what was detected may need what its own setup installs"
    assert data["network"] == detected["network"]


def test_several_are_taken_in_order_and_by_name_or_path(tmp_path: Path) -> None:
    lay(tmp_path, {FILES[name]: SAMPLES[name][next(iter(SAMPLES[name]))] for name in FILES})
    lay(tmp_path, {f"{folder}/setup.sh": "true\n" for folder in SCRIPTS.values()})
    lay(tmp_path, {".devcontainer/web/devcontainer.json": "{}"})
    names = [source.format.name for source in sources(tmp_path)]
    assert names == ["codex", "codex-scripts", "codex-cloud", "devcontainer", "devcontainer", "cursor", "copilot",
                     "container-use"]  # fmt: skip
    assert [format_.name for format_ in FORMATS] == list(dict.fromkeys(names))
    chosen, others = choose(tmp_path)
    assert (chosen.format.name, len(others)) == ("codex", 7)
    assert choose(tmp_path, "cursor")[0].format.name == "cursor"
    web = tmp_path / ".devcontainer/web/devcontainer.json"
    assert choose(web) == (sources(tmp_path)[4], [])
    assert str(choose(web)[0]) == ".devcontainer/web/devcontainer.json"


@pytest.mark.parametrize(
    ("path", "name", "said"),
    [(".", "", "nothing to import"), ("x.toml", "", "nothing to import"), ("gone", "", "does not exist"),
     (".", "nix", "unknown format 'nix'"), (".", "cursor", "nothing to import")],
)  # fmt: skip
def test_nothing_to_import(tmp_path: Path, path: str, name: str, said: str) -> None:
    (tmp_path / "x.toml").write_text("")
    with pytest.raises(UsageError, match=said) as refused:
        choose(tmp_path / path, name)
    assert refused.value.hint


def test_a_file_elsewhere_names_the_project(tmp_path: Path) -> None:
    lay(tmp_path, {FILES["cursor"]: SAMPLES["cursor"]["dockerfile beside it"]})
    (source, _), named = choose(tmp_path), tmp_path / ".fumehood/web.toml"
    assert imported(source, initial(tmp_path), named).data["image"] == {"build": "../.cursor/Dockerfile"}
    lay(tmp_path, {FILES["cursor"]: SAMPLES["cursor"]["install"]})
    data = imported(source, initial(tmp_path), tmp_path.parent / "elsewhere.toml").data
    assert data["repository"] == {"url": str(tmp_path)}


BAD: list[tuple[str, bytes, str]] = [
    *((name, b"\xff\xfe", "is not UTF-8") for name in FILES),
    *((name, b"x" * (1 << 20 | 1), "is larger than") for name in FILES),
    *((name, b"[" * 100_000, "nested deeper") for name in FILES if name != "codex"),
    *((name, b"[1]", "must be a table") for name in FILES if name != "codex"),
    *((name, b"", "valid JSON") for name in FILES if name not in ("codex", "copilot")),
    ("codex", b"[setup", "not valid TOML"),
    ("codex", b"a." * 200_000 + b"a = 1", "nested deeper"),
    ("cursor", b'{"install": "\\ud800"}', "surrogate"),
    ("cursor", b'{"a": NaN}', "out of range"),
    ("cursor", b'{"a": ' + b"9" * 5000 + b"}", "out of range"),
    ("cursor", b'{"a": 1', "line 1: not valid JSON"),
    ("devcontainer", b'{\n"a": 1 /* \n }', "line 3: not valid JSON"),
    ("copilot", b"a: " + b"b" * (1 << 17), "larger than 128 KiB"),
    ("copilot", b"a: b: c", "line 1: not valid YAML"),
    ("copilot", b"a: 1\n---\nb: 2\n", "several YAML documents"),
    ("copilot", b"? [a]\n: b\n", "a key that is no text"),
    ("copilot", b"a: *b\n", "not valid YAML|an anchor that is not there"),
    ("copilot", b"a: &a [*a]\n", "an anchor that is not there"),
    ("copilot", b'a: "\\ud800"\n', "surrogate"),
    ("copilot", b'a: "\\UFFFFFFFF"\n', "not valid YAML"),
    ("copilot", b"a: \x00\n", "not valid YAML"),
    ("copilot", b"a: " + b"{x: " * 40 + b"}" * 40, "nested deeper"),
    ("copilot", b"a: &a0 [x]\n" + b"".join(b"b%d: &a%d [*a%d]\n" % (n, n + 1, n) for n in range(40)), "nested deeper"),
    (
        "copilot",
        b"a: &a0 [x]\n" + b"".join(b"b%d: &a%d [*a%d, *a%d]\n" % (n, n + 1, n, n) for n in range(25)),
        "more than a million",
    ),
    ("copilot", b"a: &a " + b"x" * 10_000 + b"\nb: [" + b"*a, " * 1000 + b"]\n", "more than a million"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "said"), BAD, ids=range(len(BAD)))
def test_hostile_files_are_an_error_that_names_the_file(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    lay(tmp_path, {FILES[name]: content})
    with pytest.raises(EngineError, match=said) as refused:
        take(tmp_path)
    assert FILES[name] in refused.value.message
    assert len(str(refused.value)) < 1000


def test_tags_make_no_objects(tmp_path: Path) -> None:
    text = SAMPLES["copilot"]["node"].replace("run: npm ci", f"run: !!python/object/apply:os.mkdir ['{tmp_path}/made']")
    result = take(lay(tmp_path, {FILES["copilot"]: text}))
    assert not (tmp_path / "made").exists()
    assert "steps[2] Install dependencies: not taken over: must be text" in told(result)


def test_a_pipe_does_not_hold_it_up(tmp_path: Path) -> None:
    (tmp_path / ".cursor").mkdir()
    os.mkfifo(tmp_path / FILES["cursor"])
    with pytest.raises(UsageError, match="nothing to import"):
        take(tmp_path)


def test_what_grows_beyond_a_file_of_ours_is_an_error(tmp_path: Path) -> None:
    lay(tmp_path, {FILES["cursor"]: json.dumps({"install": "\x01" * 150_000})})
    with pytest.raises(EngineError, match="cannot be imported: is larger than 1 MiB"):
        take(tmp_path)


_KEYS = st.sampled_from([
    "name", "image", "build", "dockerfile", "install", "start", "terminals", "command", "env", "containerEnv",
    "remoteEnv", "secrets", "features", "setup", "script", "linux", "actions", "cleanup", "version", "base_image",
    "setup_commands", "services", "jobs", "copilot-setup-steps", "steps", "run", "uses", "with", "if",
    "hostRequirements", "memory", "onCreateCommand", "postStartCommand", "PATH", "node-version", "shell",
    "working-directory",
])  # fmt: skip
_TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["${{ secrets.A }}", "${localEnv:A}", "actions/setup-node@v4", "a=b", "../../x", "cd x \\", "'", "\0"]
    ),
)
_DATA = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(_KEYS, st.text(max_size=8)), inner, max_size=6)
    ),
    max_leaves=25,
)


def _survives(name: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lay(Path(folder), {FILES[name]: content})
        try:
            lines = told(take(Path(folder)))
        except EngineError as error:
            lines = [error.message]
        assert all(line and "\n" not in line for line in lines)


@pytest.mark.parametrize("name", ["cursor", "container-use", "devcontainer"])
@settings(max_examples=150, deadline=None)
@given(data=st.dictionaries(_KEYS, _DATA, max_size=8))
def test_any_json(name: str, data: dict[str, object]) -> None:
    _survives(name, json.dumps(data).encode())


@settings(max_examples=150, deadline=None)
@given(
    job=st.dictionaries(_KEYS, _DATA, max_size=6), steps=st.lists(st.dictionaries(_KEYS, _DATA, max_size=5), max_size=4)
)
def test_any_workflow(job: dict[str, object], steps: list[dict[str, object]]) -> None:
    # JSON is YAML, but for a few characters.
    _survives("copilot", json.dumps({"jobs": {"copilot-setup-steps": {**job, "steps": steps}}}).encode())


@settings(max_examples=100, deadline=None)
@given(data=st.dictionaries(_KEYS, _DATA, max_size=6))
def test_any_toml(data: dict[str, object]) -> None:
    import tomli_w

    def without_null(value: object) -> object:
        if isinstance(value, dict):
            return {key: without_null(item) for key, item in value.items() if item is not None}
        return [without_null(item) for item in value if item is not None] if isinstance(value, list) else value

    plain = without_null(data)
    assert isinstance(plain, dict)
    _survives("codex", tomli_w.dumps(plain).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60, deadline=None)
@given(
    content=st.one_of(
        st.binary(max_size=60), st.text(alphabet="{}[]\":,/*\\\n#&*!?|>-<%@` ab1'=.", max_size=60).map(str.encode)
    )
)
def test_any_bytes(name: str, content: bytes) -> None:
    _survives(name, content)
