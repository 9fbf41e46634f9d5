"""Options and help of every command; argparse alone, nothing of the engine is imported here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TypeAlias

from engine import __version__

Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

_DESCRIPTION = """A terminal workbench for coding agents: environments, cached containers, a live log and the diff.

Without a command it opens the workbench."""

_EXEC_EXAMPLES = """examples:
  fumehood exec "fix the failing test"
  fumehood exec --env web --branch feature/login --wait "make the login test pass"
  echo "bump httpx" | fumehood exec --env ./fumehood.toml -"""

_FOLLOW_UP_EXAMPLES = """examples:
  fumehood follow-up k3m9xq "now update the changelog"
  fumehood follow-up k3m9xq --attempt 2 --wait - < comments.md"""

_REPLAY_EXAMPLES = """examples:
  fumehood replay k3m9xq --speed 4
  fumehood replay k3m9xq --save recordings/urls
  fumehood replay recordings/urls --wait
Nothing of it runs, and no container engine is needed."""

_RM_EXAMPLES = """examples:
  fumehood rm k3m9xq p7dw2a
  fumehood rm --undo k3m9xq"""
_PUSH_EXAMPLES = """examples:
  fumehood push k3m9xq
  fumehood push k3m9xq --remote fork --branch fix/sum --edit
The branch is fumehood/TASK unless named. git runs with your own ssh keys and credential helpers."""

_PR_EXAMPLES = """examples:
  fumehood pr k3m9xq --draft
  fumehood pr k3m9xq --attempt 2 --base develop --title "Start sums at zero"
The token is that of $GITHUB_TOKEN, $GITLAB_TOKEN or $GITEA_TOKEN, or of gh, glab or tea.
Where a request of the branch is open, it is brought up to date."""

_EXPORT_EXAMPLES = """examples:
  eval "$(fumehood export k3m9xq)" && git switch -c sum FETCH_HEAD
  fumehood export k3m9xq --bundle sum.bundle
  fumehood export k3m9xq --patch sum.patch"""

_SERVE_EXAMPLES = """examples:
  fumehood serve
  ssh -L 8800:127.0.0.1:8800 HOST fumehood serve --port 8800
The link counts once; press enter for another. Only this machine can reach it."""

_FORMATS = "codex, codex-scripts, codex-cloud, devcontainer, cursor, copilot, container-use"

_IMPORT_EXAMPLES = """examples:
  fumehood env import
  fumehood env import --from cursor
  fumehood env import .devcontainer/web/devcontainer.json --output .fumehood/web.toml"""

_TRUST_EXAMPLES = """examples:
  fumehood env trust --show
  fumehood env trust ./fumehood.toml"""

_CHECK_EXAMPLES = """examples:
  fumehood network check --env web x.org api.example.org:8443
  fumehood network check --phase setup x.org"""

_ALLOW_EXAMPLES = """examples:
  fumehood network allow x.org --env ./fumehood.toml
  fumehood network allow =x.org:8443 --task k3m9xq"""

_GC_EXAMPLES = """examples:
  fumehood cache gc --dry-run
  fumehood cache gc --max-size 5g --max-age 6h"""

_SECRET_EXAMPLES = """examples:
  fumehood secret set NPM_TOKEN --env web
  fumehood secret set DEPLOY_KEY --env web --file ~/.ssh/deploy
  pass show npm | fumehood secret set NPM_TOKEN --env web -"""

_INSTALL_EXAMPLES = """examples:
  fumehood agent install codex
The package comes from the registry that your npm is configured for."""

_WATCH_EXAMPLES = """examples:
  fumehood watch
  fumehood watch --env web --env api
When a watched file changes, maintenance runs; when setup changes, setup runs; a container stands by for the next task.
An open workbench does the same."""


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The options of `argv`; `options.run` names the function to call as "module:function"."""
    return _parser().parse_args(argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fumehood", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"fumehood {__version__}")
    _workbench_options(parser)
    parser.set_defaults(run="workbench:workbench", task="", no_watch=False, low_bandwidth=False)
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND")
    _task_verbs(verbs)
    _publish_verbs(verbs)
    _cache_verbs(verbs)
    _environment_verbs(verbs)
    _secret_verbs(verbs)
    _network_verbs(verbs)
    _agent_verbs(verbs)
    _machine_verbs(verbs)
    return parser


def _verb(verbs: Verbs, name: str, run: str, text: str, examples: str = "") -> argparse.ArgumentParser:
    verb = verbs.add_parser(
        name, help=text, description=text, epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verb.set_defaults(run=run)
    verb.add_argument("--json", action="store_true", help="print JSON for programs")
    return verb


def _task_verbs(verbs: Verbs) -> None:
    verb = _verb(verbs, "exec", "tasks:exec_", "start a task", _EXEC_EXAMPLES)
    verb.add_argument("prompt", metavar="PROMPT", help="what the agent is to do; - reads it from standard input")
    _env_option(verb)
    verb.add_argument("--branch", default="", help="branch, tag or commit to work on (default: the environment's)")
    verb.add_argument("--agent", default="", help="agent to use (default: the environment's)")
    verb.add_argument("--attempts", type=int, default=1, metavar="N", help="run it 1 to 4 times side by side")
    verb.add_argument("--wait", action="store_true", help="show the log until the task has ended")
    verb.add_argument("--trust", action="store_true", help="agree to what the environment's file says now")

    verb = _verb(verbs, "status", "tasks:status", "show the state of a task; exit code 1 unless it is ready or applied")
    verb.add_argument("task", metavar="TASK", help="a task's id or the beginning of it")

    verb = _verb(verbs, "list", "tasks:list_", "list tasks, newest first")
    verb.add_argument("--env", default="", help="only tasks of this environment")
    verb.add_argument("--limit", type=int, default=20, metavar="N", help="at most N tasks (default 20)")
    verb.add_argument("--cursor", default="", help="go on after this task id")

    verb = _verb(verbs, "logs", "tasks:logs", "show a task's log", "examples:\n  fumehood logs -f k3m9xq")
    verb.add_argument("task", metavar="TASK")
    verb.add_argument("-f", "--follow", action="store_true", help="go on until the task has ended")
    verb.add_argument("--raw", action="store_true", help="the commands' output alone, byte for byte")

    verb = _verb(verbs, "diff", "tasks:diff", "print a task's diff", "examples:\n  fumehood diff k3m9xq | git apply")
    verb.add_argument("task", metavar="TASK")
    _attempt_option(verb, "the diff of attempt N")
    verb.add_argument("--turn", type=int, default=0, metavar="N", help="what turn N alone changed (default: all turns)")
    verb.add_argument("--stat", action="store_true", help="only file names and numbers of lines")

    verb = _verb(verbs, "follow-up", "tasks:follow_up", "ask the agent of an ended task for more", _FOLLOW_UP_EXAMPLES)
    verb.add_argument("task", metavar="TASK")
    verb.add_argument("prompt", metavar="PROMPT", help="what the agent is to do now; - reads it from standard input")
    _attempt_option(verb, "go on from attempt N")
    verb.add_argument("--wait", action="store_true", help="show the log until the task has ended")

    verb = _verb(verbs, "collect", "tasks:collect", "bring out the files of an interrupted or cancelled task")
    verb.add_argument("task", metavar="TASK")
    _attempt_option(verb, "the files of attempt N")
    verb.add_argument("--wait", action="store_true", help="show the log until they are there")

    verb = _verb(verbs, "apply", "tasks:apply", "apply a task's diff to the local checkout")
    verb.add_argument("task", metavar="TASK")
    _attempt_option(verb, "apply attempt N")
    verb.add_argument("--preflight", action="store_true", help="only say whether it would apply")
    verb.add_argument("--force", action="store_true", help="also into files that hold uncommitted work")

    verb = _verb(verbs, "compare", "attempts:compare", "show the attempts of a task side by side")
    verb.add_argument("task", metavar="TASK")

    verb = _verb(verbs, "pick", "attempts:pick", "prefer one attempt of a task", "examples:\n  fumehood pick k3m9xq 2")
    verb.add_argument("task", metavar="TASK")
    verb.add_argument("attempt", type=int, metavar="N", help="what diff, apply and follow-up mean from now on")

    verb = _verb(verbs, "cancel", "tasks:cancel", "end a running task and its containers")
    verb.add_argument("task", metavar="TASK")

    verb = _verb(verbs, "replay", "tasks:replay", "play a recorded task again, as a new task", _REPLAY_EXAMPLES)
    verb.add_argument("recording", metavar="TASK|FOLDER", help="a task's id, or a folder that --save made")
    verb.add_argument("--speed", type=float, default=1.0, metavar="N", help="N times as fast as it was (default 1)")
    verb.add_argument("--save", metavar="FOLDER", default="", help="only write the recording to a new folder, to share")
    verb.add_argument("--wait", action="store_true", help="show the log until it has ended")

    verb = _verb(verbs, "rm", "tasks:remove", "remove tasks that have ended", _RM_EXAMPLES)
    verb.add_argument("tasks", nargs="+", metavar="TASK")
    how = verb.add_mutually_exclusive_group()
    how.add_argument("--undo", action="store_true", help="bring them back; possible for an hour")
    how.add_argument("--for-good", action="store_true", help="so that they cannot be brought back")

    verb = _verb(verbs, "attach", "workbench:workbench", "open the workbench on a task")
    verb.add_argument("task", metavar="TASK")
    _workbench_options(verb)
    verb = _verb(verbs, "serve", "serve:serve", "open the workbench in a browser", _SERVE_EXAMPLES)
    verb.add_argument("--port", type=int, default=8800, metavar="N", help="0 for any that is free (default: 8800)")
    verb.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="an IP address (default: 127.0.0.1)")
    _workbench_options(verb)


def _publish_verbs(verbs: Verbs) -> None:
    push = _verb(verbs, "push", "publish:push", "push a task's result as a branch", _PUSH_EXAMPLES)
    request = _verb(verbs, "pr", "publish:pull_request", "open or update a pull request of a task", _PR_EXAMPLES)
    for verb in (push, request):
        verb.add_argument("task", metavar="TASK")
        _attempt_option(verb, "the result of attempt N")
        verb.add_argument("--branch", default="", metavar="NAME", help="the branch to push (default: fumehood/TASK)")
        verb.add_argument(
            "--remote",
            default="",
            metavar="URL|NAME",
            help="default: the environment's repository, or its origin",
        )
        verb.add_argument("--edit", action="store_true", help="edit title and body in $EDITOR first")
        verb.add_argument("--commits", action="store_true", help="the agent's own commits, not one of yours")
        verb.add_argument("--force-with-lease", action="store_true", help="replace what others put on the branch")
        verb.add_argument("--allow-default-branch", action="store_true", help="push to the default branch as well")
        verb.add_argument("--allow-likely-secrets", action="store_true", help="though something looks like a secret")
    push.add_argument("--message", default="", metavar="TEXT", help="the commit's message (default: from the answer)")
    request.add_argument("--title", default="", help="default: from the answer, or the first line of the prompt")
    request.add_argument("--body", default=None, help="default: the answer")
    request.add_argument("--base", default="", metavar="BRANCH", help="the branch to go into (default: the task's)")
    request.add_argument("--draft", action="store_true", help="open it as a draft")
    request.add_argument("--forge", default="", metavar="KIND", help="github, gitlab, gitea or forgejo, if unclear")

    verb = _verb(verbs, "export", "publish:export", "hand a result over as a ref, bundle or patch", _EXPORT_EXAMPLES)
    verb.add_argument("task", metavar="TASK")
    _attempt_option(verb, "the result of attempt N")
    what = verb.add_mutually_exclusive_group()
    what.add_argument("--bundle", default="", metavar="FILE", help="write a git bundle, with the agent's commits")
    what.add_argument("--patch", default="", metavar="FILE", help="write the patch")


def _cache_verbs(verbs: Verbs) -> None:
    group = verbs.add_parser("cache", help="show, explain, reset or clear up cached snapshots")
    group.set_defaults(run="cache:show")
    cache = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _verb(cache, "show", "cache:show", "list the snapshots with age, size and users")
    _env_option(_verb(cache, "explain", "cache:explain", "say whether a start would hit the cache, and why"))
    _env_option(_verb(cache, "reset", "cache:reset", "invalidate an environment's snapshot"))
    verb = _verb(cache, "gc", "cache:gc", "remove snapshots and containers that nothing needs", _GC_EXAMPLES)
    verb.add_argument("--max-size", metavar="SIZE", help="keep this much (default: $FUMEHOOD_CACHE_MAX, else 20g)")
    verb.add_argument("--max-age", metavar="AGE", help="remove snapshots of this age in any case")
    verb.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    verb = _verb(verbs, "watch", "watch:watch", "keep environments fresh while their files change", _WATCH_EXAMPLES)
    verb.add_argument(
        "--env", action="append", default=[], metavar="NAME|PATH", help="may be given again (default: the nearest)"
    )


def _environment_verbs(verbs: Verbs) -> None:
    group = verbs.add_parser("env", help="make and check environment files")
    env = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group_ in (env, verbs):
        verb = _verb(group_, "init", "environments:init", "write a fumehood.toml that fits the project")
        verb.add_argument("folder", nargs="?", default=".", help="the project (default: here)")
        verb.add_argument("--force", action="store_true", help="replace an existing file")
        verb.add_argument("--no-import", action="store_true", help="pass over the environment files of other tools")
    verb = _verb(env, "import", "imports:import_", "write a fumehood.toml from another tool's file", _IMPORT_EXAMPLES)
    verb.add_argument("path", nargs="?", default=".", help="the project, or one file to import (default: here)")
    verb.add_argument("--from", dest="format", default="", metavar="FORMAT", help=f"one of {_FORMATS}")
    verb.add_argument(
        "--output", default="", metavar="FILE", help="where to write (default: the project's fumehood.toml)"
    )
    verb.add_argument("--force", action="store_true", help="replace an existing file")
    verb = _verb(env, "trust", "trust:trust", "agree to run what an environment file says", _TRUST_EXAMPLES)
    verb.add_argument("env", nargs="?", default=None, metavar="PATH|NAME", help="a file, a folder or a name")
    what = verb.add_mutually_exclusive_group()
    what.add_argument("--show", action="store_true", help="only show it; exit code 1 when it is not trusted")
    what.add_argument("--revoke", action="store_true", help="take back every agreement to this file")
    verb = _verb(env, "check", "environments:check", "check an environment file")
    verb.add_argument("env", nargs="?", default=None, metavar="FILE", help="a file, a folder or a name")
    verb.add_argument("--plan", action="store_true", help="show what automatic setup does instead")
    _verb(env, "list", "environments:list_", "list the environments within reach")
    _verb(env, "schema", "environments:schema", "print the JSON Schema of environment files")


def _network_verbs(verbs: Verbs) -> None:
    group = verbs.add_parser("network", help="check and change what an agent may reach")
    network = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    verb = _verb(
        network, "check", "network:check", "say which hosts a phase may reach; exit code 1 unless all", _CHECK_EXAMPLES
    )
    _env_option(verb)
    verb.add_argument("--phase", choices=("setup", "agent"), default="agent", help="whose policy (default: agent)")
    verb.add_argument("--method", default=None, metavar="M", help="judge an HTTP request with this method")
    verb.add_argument("hosts", nargs="+", metavar="HOST[:PORT]", help="port 443 unless given")
    verb = _verb(network, "show", "network:show", "print the policy as stored, each entry with what it stands for")
    _env_option(verb)
    verb = _verb(network, "allow", "network:allow", "let an agent reach one more host", _ALLOW_EXAMPLES)
    verb.add_argument("host", metavar="HOST", help="x.org with its subdomains, =x.org alone, x.org:8443")
    where = verb.add_mutually_exclusive_group(required=True)
    where.add_argument("--env", default=None, metavar="NAME|PATH", help="in the file of this environment")
    where.add_argument("--task", default="", metavar="TASK", help="in this running task only")


def _secret_verbs(verbs: Verbs) -> None:
    group = verbs.add_parser("secret", help="set, list or remove the secrets of an environment")
    secret = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    verb = _verb(secret, "set", "secrets:set_", "give a secret its value, kept encrypted", _SECRET_EXAMPLES)
    verb.add_argument("name", metavar="NAME", help="the name of the variable the setup script sees")
    verb.add_argument("source", nargs="?", default="", metavar="-", help="read the value from stdin")
    verb.add_argument("--file", default="", help="read the value from a file (default: ask for it)")
    _env_option(verb)
    _env_option(_verb(secret, "list", "secrets:list_", "list the secrets, without their values"))
    verb = _verb(secret, "rm", "secrets:remove", "forget the value of a secret")
    verb.add_argument("name", metavar="NAME")
    _env_option(verb)


def _agent_verbs(verbs: Verbs) -> None:
    group = verbs.add_parser("agent", help="list agents and install their programs")
    agent = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _verb(agent, "list", "agents:list_", "list the agents with version, place and what is missing")
    verb = _verb(agent, "install", "agents:install", "install an agent's program with npm", _INSTALL_EXAMPLES)
    verb.add_argument("agent", metavar="AGENT", help="codex, claude, opencode or gemini")
    verb.add_argument("--version", default="", metavar="V", help="another version than the one that was tried")


def _machine_verbs(verbs: Verbs) -> None:
    group = verbs.add_parser("image", help="make and list container images")
    image = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    verb = _verb(image, "bootstrap", "images:bootstrap", "make a Debian base image on this machine (needs root)")
    verb.add_argument("--suite", default=None, help="Debian suite (default: this machine's, else bookworm)")
    verb.add_argument("packages", nargs="*", metavar="PACKAGE", help="Debian packages to add")
    _verb(image, "list", "images:list_", "list the engine's images")
    verb = _verb(verbs, "doctor", "doctor:doctor", "check what fumehood needs on this machine")
    verb.add_argument("--fix", action="store_true", help="mend what needs no decision: rights, dead tasks, leftovers")
    verb = _verb(verbs, "demo", "demo:demo", "run the whole job on a sample project with the replay agent")
    verb.add_argument("--no-tui", action="store_true", help="without the workbench: answer, diff and timings as text")


def _env_option(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--env", default=None, metavar="NAME|PATH", help="the environment (default: the nearest fumehood.toml)"
    )


def _attempt_option(verb: argparse.ArgumentParser, text: str) -> None:
    verb.add_argument(
        "--attempt", type=int, default=0, metavar="N", help=f"{text} (default: the one picked, else the first)"
    )


def _workbench_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--no-watch",
        action="store_true",
        default=argparse.SUPPRESS,
        help="do not keep environments fresh while the workbench is open",
    )
    verb.add_argument(
        "--low-bandwidth",
        action="store_true",
        default=argparse.SUPPRESS,
        help="write less to the terminal: log twice a second, the terminal's own colours, no frames, no mouse",
    )
