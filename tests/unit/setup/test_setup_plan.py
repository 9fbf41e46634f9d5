"""The plan of automatic setup: which manager, told what, in which folder (SPEC E4)."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data import sample_envs_dir
from engine.environment.load import parse
from engine.setup.effective import effective
from engine.setup.plan import MAX_STEPS, Plan, plan
from engine.setup.tree import FolderTree, seen

PROJECT = '[project]\nname = "p"\nversion = "1"\n'
PIP = "/opt/venv/bin/python -m pip install "
BERRY = "__metadata:\n  version: 8\n"


class Files:
    """A tree in memory."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self.files = {path: text if isinstance(text, bytes) else text.encode() for path, text in files.items()}

    def paths(self) -> Collection[str]:
        return [path for path in self.files if seen(path)]

    def read(self, paths: Collection[str]) -> Mapping[str, bytes]:
        return {path: self.files[path] for path in paths if path in self.files}


def planned(files: Mapping[str, str | bytes], subdirectory: str = "") -> Plan:
    return plan(Files(files), subdirectory)


def commands(files: Mapping[str, str | bytes], subdirectory: str = "") -> list[tuple[str, str]]:
    """Folder and command of everything that is installed."""
    return [(step.folder, text) for step in planned(files, subdirectory).steps for text in step.commands]


def package(**fields: object) -> str:
    return json.dumps(fields)


@pytest.mark.parametrize(
    ("files", "arguments"),
    [
        ({"pyproject.toml": PROJECT}, ["-e ."]),
        ({"pyproject.toml": PROJECT, "tests/test_a.py": ""}, ["-e .", "pytest"]),
        (
            {"pyproject.toml": PROJECT + "[project.optional-dependencies]\ntest = ['x']\ndev = ['y']"},
            ["-e '.[test]'"],
        ),
        (
            {"pyproject.toml": PROJECT + "[dependency-groups]\ndev = ['tox']\ntests = ['pytest>=8']", "tests/t.py": ""},
            ["-e .", "'pytest>=8'"],
        ),
        (
            {
                "pyproject.toml": PROJECT + "[dependency-groups]\n"
                "a = ['x', {include-group = 'dev'}]\ndev = ['y', {include-group = 'a'}]"
            },
            ["-e .", "y x"],
        ),
        (
            {"pyproject.toml": PROJECT, "requirements/dev.txt": "", "requirements/tests.txt": "", "tests/t.py": ""},
            ["-e .", "-r requirements/tests.txt"],
        ),
        (
            {"setup.py": "", "requirements.txt": "", "requirements-dev.txt": ""},
            ["-r requirements.txt", "-e .", "-r requirements-dev.txt"],
        ),
        ({"requirements.txt": "", "test/test_a.py": ""}, ["-r requirements.txt", "pytest"]),
        ({"requirements/base.txt": ""}, []),
        ({"pyproject.toml": "[tool.ruff]\n"}, []),
        ({"pyproject.toml": "[[[ broken", "requirements.txt": ""}, ["-r requirements.txt"]),
        ({"latest-requirements.txt": ""}, []),
    ],
)
def test_pip(files: dict[str, str], arguments: list[str]) -> None:
    assert [text.removeprefix(PIP) for _, text in commands(files)] == arguments
    assert {step.manager for step in planned(files).steps} == {"pip"}


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"pyproject.toml": PROJECT, "uv.lock": ""}, "uv sync --frozen"),
        ({"pyproject.toml": PROJECT + "[tool.uv]\n"}, "uv sync"),
        (
            {"pyproject.toml": PROJECT + "[project.optional-dependencies]\ntest = ['x']\n", "uv.lock": ""},
            "uv sync --frozen --extra test",
        ),
        (
            {"pyproject.toml": PROJECT + "[dependency-groups]\ntest = []\n", "uv.lock": ""},
            "uv sync --frozen --group test",
        ),
        ({"pyproject.toml": PROJECT + "[dependency-groups]\ntest = []\ndev = []\n", "uv.lock": ""}, "uv sync --frozen"),
        ({"pyproject.toml": PROJECT + "[tool.uv.workspace]\n", "uv.lock": ""}, "uv sync --frozen --all-packages"),
        ({"pyproject.toml": PROJECT, "poetry.lock": ""}, "poetry install --no-interaction"),
        ({"pyproject.toml": "[tool.poetry]\nname = 'p'"}, "poetry install --no-interaction"),
        ({"pyproject.toml": "[tool.poetry.extras]\ndev = ['x']"}, "poetry install --no-interaction --extras dev"),
        ({"Pipfile": ""}, "pipenv install --dev --skip-lock"),
        ({"Pipfile": "", "Pipfile.lock": "{}", "requirements.txt": ""}, "pipenv install --dev --deploy"),
        ({"package.json": "{}"}, "npm install --no-package-lock"),
        ({"package.json": "{}", "package-lock.json": ""}, "npm ci"),
        ({"package.json": "[" * 100_000, "npm-shrinkwrap.json": ""}, "npm ci"),
        (
            {"package.json": "{}", "yarn.lock": "# yarn lockfile v1\n"},
            "yarn install --frozen-lockfile --non-interactive",
        ),
        ({"package.json": package(packageManager="yarn@1.22.19")}, "yarn install --no-lockfile --non-interactive"),
        ({"package.json": "{}", "yarn.lock": BERRY}, "yarn install --immutable"),
        ({"package.json": "{}", ".yarnrc.yml": "", "yarn.lock": ""}, "yarn install --immutable"),
        ({"package.json": package(packageManager="yarn@4.1.0+sha512.ab12")}, "yarn install --no-immutable"),
        ({"package.json": "{}", "pnpm-lock.yaml": ""}, "pnpm install --frozen-lockfile"),
        ({"package.json": package(packageManager="pnpm@9.1.0")}, "pnpm install --no-lockfile"),
    ],
)
def test_each_manager_honours_its_lock_file(files: dict[str, str], command: str) -> None:
    assert commands(files) == [(".", command)]


@pytest.mark.parametrize(
    ("files", "installed"),
    [
        ({"package.json": "{}", "yarn.lock": ""}, "yarn@1"),
        ({"package.json": "{}", "yarn.lock": BERRY}, "@yarnpkg/cli-dist@4"),
        ({"package.json": "{}", "yarn.lock": BERRY.replace("8", "6")}, "@yarnpkg/cli-dist@3"),
        ({"package.json": "{}", "yarn.lock": BERRY.replace("8", "4")}, "@yarnpkg/cli-dist@2"),
        ({"package.json": package(packageManager="yarn@3.6.1")}, "@yarnpkg/cli-dist@3.6.1"),
        (
            {"package.json": "{}", ".yarnrc.yml": "yarnPath: .yarn/releases/y.cjs\n", ".yarn/releases/y.cjs": ""},
            "yarn@1",
        ),
        ({"package.json": "{}", ".yarnrc.yml": "yarnPath: ../../y.cjs\n"}, "@yarnpkg/cli-dist@4"),
        ({"package.json": "{}", "pnpm-lock.yaml": "lockfileVersion: 5.4\n"}, "pnpm@7"),
        ({"package.json": "{}", "pnpm-lock.yaml": "lockfileVersion: '6.0'\n"}, "pnpm@8"),
        ({"package.json": "{}", "pnpm-lock.yaml": "lockfileVersion: '9.0'\n"}, "pnpm@10"),
        ({"package.json": package(packageManager="npm@10.2.0")}, "npm@10.2.0"),
        (
            {
                "pyproject.toml": "[tool.poetry]",
                "poetry.lock": "# This file is automatically @generated by Poetry 1.8.3",
            },
            "'poetry<2'",
        ),
    ],
)
def test_the_manager_is_of_the_release_that_wrote_the_lock_file(files: dict[str, str], installed: str) -> None:
    (step,) = planned(files).steps
    assert installed in " ".join(step.prepare).split()


def test_a_repository_with_several_managers() -> None:
    files = {
        "pyproject.toml": PROJECT,
        "uv.lock": "",
        "web/package.json": package(scripts={"test": "x"}),
        "web/pnpm-lock.yaml": "lockfileVersion: '9.0'",
        "web/packages/a/package.json": "{}",
        "tools/requirements.txt": "",
        "lib/pyproject.toml": PROJECT,
        "tests/fixtures/package.json": "{}",
        "examples/a/yarn.lock": "",
        "examples/a/package.json": "{}",
        "node_modules/b/package.json": "{}",
        "a/b/c/d/package.json": "{}",
    }
    found = planned(files)
    assert commands(files) == [
        (".", "uv sync --frozen"),
        ("tools", f"{PIP}-r requirements.txt"),
        ("web", "pnpm install --frozen-lockfile"),
    ]
    assert found.watch == (
        "pyproject.toml",
        "uv.lock",
        "tools/requirements.txt",
        "web/package.json",
        "web/pnpm-lock.yaml",
    )
    assert [step.test for step in found.steps] == [("python", "-m", "pytest"), (), ("pnpm", "test")]
    assert found.lines()[-1] == "web: pnpm install --frozen-lockfile"


def test_two_releases_of_one_manager() -> None:
    files = {
        "package.json": package(packageManager="yarn@4.1.0"),
        "old/package.json": package(packageManager="yarn@1.22.19"),
        "old/yarn.lock": "",
    }
    assert planned(files).install == (
        "PATH=/opt/tools/cli-dist-4.1.0/bin:$PATH run . yarn install --no-immutable",
        "PATH=/opt/tools/yarn-1.22.19/bin:$PATH run old yarn install --frozen-lockfile --non-interactive",
    )


def test_a_folder_of_a_workspace_is_installed_from_its_top() -> None:
    files = {"package.json": package(workspaces=["packages/*"]), "yarn.lock": BERRY, "packages/a/package.json": "{}"}
    assert commands(files, "packages/a") == [("../..", "yarn install --immutable")]
    assert planned(files, "packages/a").watch == (), "what lies above cannot be watched: maintenance always runs"
    alone = {**files, "packages/a/package-lock.json": ""}
    assert commands(alone, "packages/a") == [(".", "npm ci")]
    assert commands({**files, "package.json": "{}"}, "packages/a") == [(".", "npm install --no-package-lock")]


def test_only_the_working_folder_counts() -> None:
    files = {"package.json": "{}", "api/requirements.txt": "", "web/package.json": "{}"}
    assert commands(files, "api") == [(".", f"{PIP}-r requirements.txt")]
    assert planned(files, "nowhere").steps == ()


def test_versions_the_project_asks_for() -> None:
    files = {
        "package.json": package(engines={"node": ">=20"}, volta={"node": 7}),
        "pyproject.toml": '[project]\nrequires-python = ">=3.11,<4"\n',
        "Pipfile": "[requires]\npython_version = '3.12'\n",
        ".python-version": "3.12.1\n3.11\n",
        ".nvmrc": "v20.1.0\n",
        ".tool-versions": "nodejs 22.1.0 # why\npython 3.13 3.12\nunknown 1\nruby\n",
    }
    asked = {(one.file, one.tool, one.version) for one in planned(files).asked}
    assert asked == {
        ("package.json", "node", "7"),
        ("pyproject.toml", "python", ">=3.11,<4"),
        ("Pipfile", "python", "3.12"),
        (".python-version", "python", "3.12.1"),
        (".nvmrc", "node", "20.1.0"),
        (".tool-versions", "node", "22.1.0"),
        (".tool-versions", "python", "3.13"),
    }
    below = planned({"a/requirements.txt": "", ".nvmrc": "20", "package.json": package(engines={"node": "1"})}, "a")
    assert [(one.file, one.version) for one in below.asked] == [("../.nvmrc", "20")]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"package.json": "{}", "yarn.lock": "", "package-lock.json": ""}, "package-lock.json: not used"),
        ({"package.json": package(packageManager="bun@1.2.0")}, "exact version"),
        ({"package.json": package(packageManager=7)}, "exact version"),
        ({"package.json": "{}", "bun.lock": ""}, "bun is not supported"),
        ({"Pipfile": "", "Pipfile.lock": "", "uv.lock": ""}, "uv is used: remove the others"),
        ({"go.mod": ""}, "Go"),
    ],
)
def test_what_is_not_done_is_said(files: dict[str, str], words: str) -> None:
    assert words in " ".join(planned(files).notices)


def test_too_many_projects() -> None:
    found = planned({f"p{n}/requirements.txt": "" for n in range(MAX_STEPS + 5)})
    assert len(found.steps) == MAX_STEPS
    assert "25 projects" in " ".join(found.notices)


def test_hostile_manifests_stay_arguments() -> None:
    groups = "[dependency-groups]\ntest = ['$(touch x)', '--index-url=http://evil.test', 3, {include-group = 4}]\n"
    files = {"pyproject.toml": PROJECT + groups, "requirements/test;x.txt": ""}
    assert commands(files) == [
        (".", f"{PIP}-e ."),
        (".", f"{PIP}'$(touch x)'"),
        (".", f"{PIP}-r 'requirements/test;x.txt'"),
    ]
    doubling = "".join(f"g{n} = [{{include-group = 'g{n + 1}'}}, {{include-group = 'g{n + 1}'}}]\n" for n in range(60))
    grown = {"pyproject.toml": PROJECT + "[dependency-groups]\ntest = [{include-group = 'g0'}]\n" + doubling}
    assert commands(grown) == [(".", f"{PIP}-e .")]
    for named in ("yarn@1.0.0$(x)", "pnpm@1.0.0;x", "npm@1.0.0\n", "../npm@1.0.0", "npm@*"):
        assert "packageManager" in planned({"package.json": package(packageManager=named)}).notices[0]


NAMES = st.sampled_from(
    [
        "package.json",
        "pyproject.toml",
        "Pipfile",
        "poetry.lock",
        "uv.lock",
        "yarn.lock",
        "pnpm-lock.yaml",
        ".yarnrc.yml",
        ".nvmrc",
        ".tool-versions",
        ".python-version",
        "requirements.txt",
        "-r.requirements.txt",
        "a'b\"requirements$(x).txt",
    ]
)
FOLDERS = st.sampled_from(
    ["", "a/", "a b/", "$(touch x)/", "'/", '"; x #/', "-rf/", "a\nb/", "é/", "\udcff/", "`x`/", "*/"]
)
HOSTILE = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b'{"packageManager": "yarn@1.2.3", "engines": {"node": "$(x)"}, "scripts": {"test": 1}, "workspaces": 3}',
            b'{"packageManager": ["x"], "engines": [], "volta": "x"}',
            b"[tool.poetry.dependencies]\npython = 3\n[tool.poetry]\n",
            b'[project]\noptional-dependencies = 3\n[dependency-groups]\ntest = ["\';x", "\\u0000"]\n',
            b"[tool.uv]\nworkspace = 1\n[project.optional-dependencies]\ntest = []\n",
            b"yarnPath: .yarn/$(x)\n",
            b"lockfileVersion: '$(x)'\n__metadata:\n  version: 99999999999\n",
            b"nodejs $(x)\npython `x`\n",
        ]
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.tuples(FOLDERS, NAMES).map("".join), HOSTILE, max_size=6), FOLDERS)
def test_no_repository_breaks_the_plan_or_leaves_its_quotes(files: dict[str, bytes], folder: str) -> None:
    found = planned(files, folder.rstrip("/"))
    script = found.setup_script
    script.encode()
    assert "\0" not in script
    for step in found.steps:
        words = [shlex.split(line)[1:] for line in found.install if line.startswith("run ")]
        assert all([step.folder, *argv] in words for argv in step.install)
        assert all(text.isprintable() for text in (step.folder, *step.files, *step.notices))
    assert all(one.version.isascii() and "$" not in one.version for one in found.asked)
    if script:
        done = subprocess.run(["bash", "-n"], input=script.encode(), capture_output=True)
        assert done.returncode == 0, done.stderr


def test_the_scripts_of_an_environment_are_added_to_the_plan() -> None:
    text = '[setup]\nauto = true\nscript = "make"\n[maintenance]\nscript = ""\n'
    environment, problems = parse(b'name = "x"\n' + text.encode(), Path("/x/fumehood.toml"))
    assert environment is not None, problems
    found = effective(environment, lambda: Files({"package.json": "{}"}), "")
    assert found.setup_script.endswith("run . npm install --no-package-lock\nset +euo pipefail\nmake")
    assert found.maintenance_script.endswith("run . npm install --no-package-lock\n")
    assert found.watch == ("package.json",)
    nothing = effective(environment, lambda: Files({}), "")
    assert (nothing.setup_script, nothing.maintenance_script, nothing.watch) == ("make", "", ())


def test_without_automatic_setup_the_repository_is_not_looked_at() -> None:
    text = b'name = "x"\n[setup]\nscript = "make"\n[maintenance]\nscript = "m"\nwatch = ["a"]\n'
    environment, _ = parse(text, Path("/x/fumehood.toml"))
    assert environment is not None
    found = effective(environment, lambda: pytest.fail("looked at the repository"), "")
    assert (found.plan, found.setup_script, found.maintenance_script, found.watch) == (None, "make", "m", ("a",))
    assert found.plan_text == ""


@pytest.mark.parametrize(
    ("sample", "manager"),
    [
        ("node-npm", "npm"),
        ("node-pnpm", "pnpm"),
        ("node-yarn", "yarn"),
        ("node-yarn-berry", "yarn"),
        ("python-pip", "pip"),
        ("python-pipenv", "pipenv"),
        ("python-poetry", "poetry"),
        ("python-uv", "uv"),
    ],
)
def test_samples(sample: str, manager: str) -> None:
    found = plan(FolderTree(sample_envs_dir() / sample))
    assert {step.manager for step in found.steps} == {manager}
    assert found.notices == ()
    assert found.steps[0].test


def test_lock_files_of_samples_name_no_host() -> None:
    for path in sample_envs_dir().rglob("*"):
        if path.is_file() and ("lock" in path.name or path.name == "Pipfile"):
            assert "://" not in path.read_text(), path
