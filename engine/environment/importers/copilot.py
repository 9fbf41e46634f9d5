"""`copilot-setup-steps.yml`: the workflow that prepares the machine of GitHub's coding agent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.environment.importers import read
from engine.environment.importers.collected import Collected
from engine.environment.kinds import BadValue

if TYPE_CHECKING:
    from engine.environment.importers.formats import Source

_JOB = "copilot-setup-steps"
# Actions that install one language: the input that names its version, and the key of [versions].
_LANGUAGES = {
    "actions/setup-node": ("node-version", "node"),
    "actions/setup-python": ("python-version", "python"),
    "actions/setup-go": ("go-version", "go"),
    "actions/setup-java": ("java-version", "java"),
    "ruby/setup-ruby": ("ruby-version", "ruby"),
    "oven-sh/setup-bun": ("bun-version", "bun"),
    "shivammathur/setup-php": ("php-version", "php"),
    "swift-actions/setup-swift": ("swift-version", "swift"),
    "actions-rust-lang/setup-rust-toolchain": ("toolchain", "rust"),
    "dtolnay/rust-toolchain": ("toolchain", "rust"),
}
_ACTIONS = {
    "actions/checkout": "every task has its own clone",
    "actions/cache": "the snapshot of setup is the cache",
    "astral-sh/setup-uv": "let setup install it: pip install uv",
    "pnpm/action-setup": "let setup install it: npm install -g pnpm",
    "actions/setup-dotnet": "let setup install it with dotnet-install.sh",
    "denoland/setup-deno": "let setup install it: npm install -g deno",
}
# Files that hold a version and nothing else.
_VERSION_FILES = (".nvmrc", ".node-version", ".python-version", ".ruby-version", ".go-version", ".java-version")
_REASONS = {
    "runs-on": "tasks run in a container of image.name",
    "services": "a task has one container; install them in setup, start them in start.script",
    "permissions": "no token of the host enters a container",
    "snapshot": "snapshots are made without being asked",
    "strategy": "there is one environment, not several; write the values in",
    "defaults": "write the working directory and the shell into the steps",
}
_SILENT = ("name", "steps", "timeout-minutes", "env", "container", "concurrency", "if", "needs", "outputs")
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_SECRET = re.compile(r"secrets\.([A-Za-z_]\w*)")
_ENV = re.compile(r"env\.([A-Za-z_]\w*)")
_ALWAYS = ("", "true", "always()", "success()", "!cancelled()")


def take(source: Source, into: Collected) -> None:
    """Read the job `copilot-setup-steps` of the workflow into `into`."""
    data = read.yaml_table(source.paths[0])
    jobs = data.get("jobs")
    job = jobs.get(_JOB) if isinstance(jobs, dict) else None
    if not isinstance(job, dict):
        raise BadValue(f"has no job {_JOB}", "GitHub ignores the file too without it")
    _variables("env", into.table("env", data.get("env")), into)
    _variables("jobs.env", into.table("jobs.env", job.get("env")), into)
    if into.text("timeout-minutes", job.get("timeout-minutes")):
        into.put("timeout-minutes", f"{job['timeout-minutes']}m", "setup", "timeout")
    container = job.get("container")
    if container:
        image = container.get("image") if isinstance(container, dict) else container
        into.put("container", image, "image", "name")
    for key in job:
        if key in _REASONS:
            into.left(key, _REASONS[key])
        elif key not in _SILENT:
            into.left(key, "unknown key")
    for other in jobs if isinstance(jobs, dict) else ():
        if other != _JOB:
            into.left(f"jobs.{other}", "another job")
    for number, step in enumerate(into.items("steps", job.get("steps"))):
        _step(source, f"steps[{number}]", into.table(f"steps[{number}]", step), into)


def _step(source: Source, at: str, step: Mapping[str, Any], into: Collected) -> None:
    name = into.text(at, step.get("name")).strip()
    key = f"{at} {name}" if name else at
    condition = _EXPRESSION.sub(r"\1", into.text(f"{at}.if", step.get("if"))).strip()
    if condition not in _ALWAYS:
        into.left(key, f"only if {condition[:60]}: there is nothing to ask this of")
    elif "uses" in step:
        _uses(source, key, into.text(f"{at}.uses", step["uses"]), into.table(f"{at}.with", step.get("with")), into)
    elif "run" in step:
        _run(key, step, into)
    elif step:
        into.left(key, "neither run nor uses")


def _run(key: str, step: Mapping[str, Any], into: Collected) -> None:
    shell = into.text(f"{key}.shell", step.get("shell")).split(" ")[0]
    if shell not in ("", "bash", "sh"):
        into.left(key, f"is written for {shell[:40]}, not for bash")
        return
    line, unknown = _in_bash(key, into.text(key, step["run"]), into)
    exports = []
    for name, value in into.table(f"{key}.env", step.get("env")).items():
        written, missing = _in_bash(key, into.text(f"{key}.env.{name}", value), into)
        unknown += missing
        if written != f"${{{name}}}" and name.isidentifier() and name.isascii():
            exports.append(f"export {name}={_double_quoted(written)}\n")
    folder, missing = _in_bash(key, into.text(f"{key}.working-directory", step.get("working-directory")), into)
    unknown += missing
    if unknown:
        into.left(key, f"needs {unknown[0][:60]}, which only GitHub knows")
        return
    for variable in ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        if variable in line:
            into.before("setup", f"export {variable}=/dev/null")
            into.left(f"{key}: ${variable}", "has no effect; append `export …` lines to ~/.bashrc instead")
    if "GITHUB_WORKSPACE" in line + folder:
        into.before("setup", "export GITHUB_WORKSPACE=$PWD")
    tolerant = into.text(f"{key}.continue-on-error", step.get("continue-on-error")) == "true"
    line = "".join(exports) + line.strip("\n")
    note = "a failure is passed over" if tolerant else ""
    if folder not in ("", ".", "./"):
        line = f"cd {_double_quoted(folder)}\n{line}"
    into.command(key, f"(\n{line}\n) || true" if tolerant else line, "setup", note=note)


def _in_bash(key: str, text: str, into: Collected) -> tuple[str, list[str]]:
    """A text in which bash finds what workflows write as `${{ … }}`; and the expressions it cannot find."""
    unknown: list[str] = []

    def expanded(match: re.Match[str]) -> str:
        inside = match[1]
        if found := _SECRET.fullmatch(inside):
            into.secret(f"{key}: {inside}", found[1])
            return f"${{{found[1]}}}"
        if found := _ENV.fullmatch(inside):
            return f"${{{found[1]}}}"
        if inside == "github.workspace":
            into.before("setup", "export GITHUB_WORKSPACE=$PWD")
            return "${GITHUB_WORKSPACE}"
        unknown.append(inside)
        return match[0]

    return _EXPRESSION.sub(expanded, text), unknown


def _double_quoted(text: str) -> str:
    """A text in double quotes, in which bash expands `${NAME}` and nothing else."""
    escaped = re.sub(r'(["\\`]|\$(?!\{\w+\}))', r"\\\1", text)
    return f'"{escaped}"'


def _variables(at: str, table: Mapping[str, Any], into: Collected) -> None:
    for name, value in table.items():
        key = f"{at}.{name}"
        written = into.text(key, value)
        found = _EXPRESSION.search(written)
        if found is None:
            into.variable(key, name, value)
        elif secret := _SECRET.fullmatch(found[1]):
            into.secret(key, name, f"was the secret {secret[1]}")
        else:
            into.left(key, f"needs {found[1][:60]}, which only GitHub knows")


def _uses(source: Source, key: str, action: str, options: Mapping[str, Any], into: Collected) -> None:
    name, _, release = action.partition("@")
    if name not in _LANGUAGES:
        into.left(key, _ACTIONS.get(name, f"the action {name[:60]} runs on GitHub only; let setup do what it does"))
        return
    option, tool = _LANGUAGES[name]
    written = into.text(f"{key}.{option}", options.get(option)).strip()
    file = into.text(f"{key}.{option}-file", options.get(f"{option}-file")).strip()
    if not written and file:
        written = _of_file(source, file)
        if not written:
            into.left(key, f"takes the version from {file[:60]}; write it as versions.{tool}")
            return
    if not written and name == "dtolnay/rust-toolchain":
        written = release
    version = re.fullmatch(r"v?(\d+(?:\.\d+)*)(?:\.[x*])*", written)
    if version:
        into.put(key, version[1], "versions", tool, f"{name}, {option} {written}")
    else:
        wanted = f"{written[:40]!r} names no version" if written else "names no version"
        into.left(key, f"{wanted}; write versions.{tool}, or let setup install it")


def _of_file(source: Source, file: str) -> str:
    """The version in a file of the project that holds nothing else; empty when there is none."""
    if file.removeprefix("./") not in _VERSION_FILES:
        return ""
    try:
        return read.text(source.folder / file).strip()
    except BadValue:
        return ""
