"""What fumehood adds to an agent, against the same program run by hand in the same kind of container, in the same run.

    python tests/bench/agents.py [--runs 5] [--agents loop,codex,claude] [--data FOLDER]

first     seconds from the start of `fumehood exec` (a snapshot is there) to the agent's first request to its model;
          by hand: from `docker run` of the snapshot's image, through the checkout of the commit, to that request
standby   the same while the environment is watched, as it is while the workbench is open: a container stands by
command   seconds from one request to the next, with a command that does nothing between them

The model is a scripted server that answers at once. By hand means: `codex exec` on the host with its environment in the
container, `claude -p` in the container with its model through a socket, and for `loop` a loop of thirty lines that asks
and runs `docker exec`. `--data` is the data folder in which the agents' programs are installed. Runs alternate; medians
and their ratios are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from start import FUMEHOOD, IMAGE, ROOT, run

from tests.agents.model_server import ModelServer, Step, serving

KEY = "sk-bench"
COMMANDS = 10
HOME = {f"XDG_{n}_HOME": n.lower() for n in ("CONFIG", "STATE", "CACHE", "DATA")}
# In the container: the loopback port that programs there ask, led to the socket of the model's host.
FORWARD = """
import socket, threading
listener = socket.create_server(("127.0.0.1", 8080))
def move(a, b):
    while data := a.recv(65536):
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)
while True:
    near = listener.accept()[0]
    far = socket.socket(socket.AF_UNIX)
    far.connect("/run/model/socket")
    threading.Thread(target=move, args=(near, far), daemon=True).start()
    threading.Thread(target=move, args=(far, near), daemon=True).start()
"""


@dataclass(frozen=True)
class Times:
    """Of one run: to the first request, and from one to the next (the median)."""

    first: float
    command: float


class Timed:
    """A scripted model whose requests have times; it wants a command, again and again, and is done then."""

    def __init__(self, model: ModelServer) -> None:
        self.model = model
        self.at: list[float] = []
        served = model.next

        def next_step(body: dict[str, object], headers: dict[str, str]) -> tuple[int, Step]:
            if not model.titles or body.get("tools"):
                self.at.append(time.time())
            return served(body, headers)

        model.next = next_step  # type: ignore[method-assign, assignment]

    def times(self, began: float) -> Times:
        """What came of a run that began then."""
        gaps = [after - before for before, after in zip(self.at, self.at[1:], strict=False)]
        return Times(self.at[0] - began, statistics.median(gaps))


@contextmanager
def model(tool: str, line: str, **more: str) -> Iterator[Timed]:
    """A model for an agent whose tool for commands is `tool`."""
    steps = [Step(calls=[(tool, json.dumps({line: f"true {n}", **more}))]) for n in range(COMMANDS)]
    with serving(*steps, Step(say="done"), titles=tool == "Bash") as server:
        yield Timed(server)


class Bench:
    """A project with a snapshot, and what it takes to do the same by hand."""

    def __init__(self, home: Path, data: Path) -> None:
        self.home, self.data = home, data
        self.variables = {**os.environ, **{name: str(home / folder) for name, folder in HOME.items()}}
        self.variables |= {"XDG_DATA_HOME": str(data), "MODEL_KEY": KEY, "PYTHONWARNINGS": "ignore"}
        self.project = home / "project"
        self.project.mkdir()
        (self.project / "README").write_text("a project\n")
        run(["git", "init", "-q", "-b", "main", str(self.project)])
        run(["git", "-C", str(self.project), "add", "-A"])
        author = ["-c", "user.name=bench", "-c", "user.email=bench@fumehood.invalid"]
        run(["git", "-C", str(self.project), *author, "commit", "-qm", "start"])

    def environment(self, agent: str, url: str, options: str) -> None:
        """Write the project's environment; none of this is in the key of its snapshot."""
        text = f'name = "agents-bench"\n[setup]\nscript = "echo ready > /opt/ready"\n[agent]\nuse = "{agent}"\nmax_repeats = 1000\n'
        (self.project / "fumehood.toml").write_text(
            f'{text}[agent.options]\nbase_url = "{url}"\nkey_env = "MODEL_KEY"\n{options}'
        )

    def task(self, timed: Timed) -> Times:
        """The whole thing with fumehood."""
        began = time.time()
        argv = [*FUMEHOOD, "exec", "--env", str(self.project), "--wait", "--json", "go"]
        state = json.loads(run(argv, env=self.variables, cwd=ROOT, stderr=subprocess.DEVNULL))
        assert state["status"] == "ready", state
        return timed.times(began)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Meanwhile a container stands by."""
        argv = [*FUMEHOOD, "watch", "--env", str(self.project), "--json"]
        quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        with subprocess.Popen(argv, env=self.variables, cwd=ROOT, **quiet) as watch:
            try:
                assert watch.stdout is not None
                while json.loads(watch.stdout.readline())["action"] != "standby":
                    pass
                time.sleep(0.2)
                yield
            finally:
                watch.terminate()
                watch.communicate()
        deadline = time.monotonic() + 20
        while run(["docker", "ps", "-q", "--filter", "name=fumehood-standby-agents"]) and time.monotonic() < deadline:
            time.sleep(0.2)

    @property
    def image(self) -> str:
        """The snapshot's image."""
        return str(
            json.loads(run([*FUMEHOOD, "cache", "show", "--json"], env=self.variables, cwd=ROOT))["snapshots"][0][
                "image"
            ]
        )

    def program(self, agent: str) -> Path:
        """The installed program of an agent."""
        listed = json.loads(run([*FUMEHOOD, "agent", "list", "--json"], env=self.variables, cwd=ROOT))["agents"]
        return Path(next(entry["path"] for entry in listed if entry["name"] == agent))

    @contextmanager
    def container(self, *options: str) -> Iterator[str]:
        """A container of the snapshot, at the commit."""
        offline = ["--network", "none", "--hostname", "task", "--add-host", "task:127.0.1.1", "--init"]
        # Whoever runs it by hand has no labels of ours on it.
        argv = ["docker", "run", "-d", *offline, *options, "--label", "fumehood.owner=", "--entrypoint", "sleep"]
        made = run([*argv, self.image_id, "infinity"]).strip()
        try:
            run(["docker", "exec", "-w", "/workspace/project", made, "git", "checkout", "-q", "-B", "work"])
            yield made
        finally:
            run(["docker", "rm", "-f", made])

    image_id: str = IMAGE


def loop_by_hand(bench: Bench) -> Times:
    with model("bash", "command") as timed:
        began = time.time()
        with bench.container() as container:
            messages: list[dict[str, object]] = [{"role": "user", "content": "go"}]
            while command := ask(timed.model.url, messages):
                argv = ["docker", "exec", "-w", "/workspace/project", container, "bash", "-lc", command]
                done = subprocess.run(argv, capture_output=True, text=True)
                messages.append({"role": "user", "content": f"{done.returncode} {done.stdout}"})
        return timed.times(began)


def ask(url: str, messages: list[dict[str, object]]) -> str:
    """The command that a model wants; empty when it is done."""
    body = json.dumps({"model": "scripted", "messages": messages, "tools": [{}], "stream": True}).encode()
    arguments = ""
    with urllib.request.urlopen(urllib.request.Request(f"{url}/chat/completions", body)) as answer:
        for line in answer:
            if line.startswith(b"data: {"):
                for choice in json.loads(line[6:])["choices"]:
                    for call in choice["delta"].get("tool_calls", ()):
                        arguments += call["function"].get("arguments", "")
    return str(json.loads(arguments)["command"]) if arguments else ""


def codex_by_hand(bench: Bench) -> Times:
    program = bench.program("codex")
    with model("exec_command", "cmd") as timed, tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        began = time.time()
        with bench.container("-v", f"{program.parents[1]}:/opt/codex:ro") as container:
            provider = (
                f'name = "bench"\nbase_url = "{timed.model.url}"\nenv_key = "MODEL_KEY"\nwire_api = "responses"\n'
            )
            off = "[analytics]\nenabled = false\n[features]\nplugins = false\napps = false\n"
            settings = f'model = "gpt-5.5"\nmodel_provider = "bench"\ncheck_for_update_on_startup = false\nweb_search = "disabled"\n{off}'
            (home / "config.toml").write_text(f"{settings}[model_providers.bench]\n{provider}")
            arguments = ["exec", "-i", container, "/opt/codex/bin/codex", "exec-server", "--listen", "stdio"]
            link = f'id = "task"\nprogram = "docker"\nargs = {json.dumps(arguments)}\n'
            (home / "environments.toml").write_text(
                f'default = "task"\ninclude_local = false\n[[environments]]\n{link}'
            )
            # A folder that is on both sides: codex looks for it here too.
            argv = [str(program), "exec", "--json", "--skip-git-repo-check", "-C", "/tmp"]
            environ = {"PATH": os.environ["PATH"], "HOME": scratch, "CODEX_HOME": scratch, "MODEL_KEY": KEY}
            argv += ["--dangerously-bypass-approvals-and-sandbox", "-"]
            subprocess.run(
                argv,
                env=environ,
                input="go",
                text=True,
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        return timed.times(began)


def claude_by_hand(bench: Bench) -> Times:
    program = bench.program("claude")
    with model("Bash", "command", description="nothing") as timed, tempfile.TemporaryDirectory() as scratch:
        port = int(timed.model.url.rpartition(":")[2].partition("/")[0])
        with unix_socket(Path(scratch) / "socket", port):
            began = time.time()
            with bench.container("-v", f"{scratch}:/run/model", "-v", f"{program.parent}:/opt/claude:ro") as container:
                run(["docker", "exec", "-d", container, "python3", "-c", FORWARD])
                variables = {"IS_SANDBOX": "1", "ANTHROPIC_BASE_URL": "http://127.0.0.1:8080", "ANTHROPIC_API_KEY": KEY}
                variables |= {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
                given = [part for name, value in variables.items() for part in ("-e", f"{name}={value}")]
                argv = [
                    "docker",
                    "exec",
                    "-i",
                    "-w",
                    "/workspace/project",
                    *given,
                    container,
                    "/opt/claude/claude",
                    "-p",
                ]
                argv += ["--output-format", "stream-json", "--verbose", "--dangerously-skip-permissions"]
                argv += ["--model", "claude-sonnet-4-5"]
                subprocess.run(argv, input="go", text=True, check=True, stdout=subprocess.DEVNULL)
            return timed.times(began)


@contextmanager
def unix_socket(path: Path, port: int) -> Iterator[None]:
    """Lead a unix socket to a port of the loopback."""
    import socket

    def move(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def serve() -> None:
        try:
            while True:
                near, far = listener.accept()[0], socket.create_connection(("127.0.0.1", port))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=move, args=pair, daemon=True).start()
        except OSError:
            return

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    threading.Thread(target=serve, daemon=True).start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@dataclass(frozen=True)
class Kind:
    """An agent: how its model is spoken to, its options, and the same by hand."""

    tool: str
    line: str
    options: str
    by_hand: Callable[[Bench], Times]
    more: tuple[tuple[str, str], ...] = ()


KINDS = {
    "loop": Kind("bash", "command", 'model = "scripted"\n', loop_by_hand),
    "codex": Kind("exec_command", "cmd", 'model = "gpt-5.5"\n', codex_by_hand),
    "claude": Kind("Bash", "command", 'model = "claude-sonnet-4-5"\n', claude_by_hand, (("description", "nothing"),)),
}


def with_fumehood(bench: Bench, name: str, standby: bool = False) -> Times:
    """A run of fumehood with this agent."""
    kind = KINDS[name]
    with model(kind.tool, kind.line, **dict(kind.more)) as timed:
        url = timed.model.url.removesuffix("/v1") if name == "claude" else timed.model.url
        bench.environment(name, url, kind.options)
        with bench.watched() if standby else nullcontext():
            return bench.task(timed)


def compare(bench: Bench, name: str, runs: int) -> None:
    """Run an agent with fumehood and by hand in turn, and print the medians with their ratios."""
    cached, standby, hand = [], [], []
    for _ in range(runs):
        cached.append(with_fumehood(bench, name))
        hand.append(KINDS[name].by_hand(bench))
        standby.append(with_fumehood(bench, name, standby=True))
    theirs = {what: statistics.median(getattr(times, what) for times in hand) for what in ("first", "command")}
    for shown, ours, what in (
        ("first", cached, "first"),
        ("standby", standby, "first"),
        ("command", cached, "command"),
    ):
        mine = statistics.median(getattr(times, what) for times in ours)
        told = f"{name:<8} {shown:<8} by hand {theirs[what] * 1000:6.0f} ms   fumehood {mine * 1000:6.0f} ms"
        print(f"{told}   x {mine / theirs[what]:.2f}  (n={runs})", flush=True)


def main() -> None:
    """Run and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--agents", default="")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fumehood/test-agents"
    options.add_argument("--data", type=Path, default=Path(os.environ.get("FUMEHOOD_TEST_AGENTS") or cache))
    chosen = options.parse_args()
    there = [name for name in KINDS if name == "loop" or (chosen.data / "fumehood/agents" / name / "current").exists()]
    names = chosen.agents.split(",") if chosen.agents else there
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(Path(scratch), chosen.data)
        with_fumehood(bench, "loop")
        bench.image_id = bench.image
        for name in names:
            compare(bench, name, chosen.runs)
        run([*FUMEHOOD, "cache", "reset", "--env", str(bench.project)], env=bench.variables, cwd=ROOT)


if __name__ == "__main__":
    main()
