"""Cases that take whole tasks, or another user of the machine (SECURITY-CASES N12, N13, S03; SPEC N3)."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from engine.network.policy import make_policy
from engine.tasks import outlet
from engine.tasks.events import Notice
from engine.tasks.journal import read_all
from tests.docker.conftest import Lab, environment
from tests.docker.outlets import agent_outlet, laboratory, requests, run
from tests.docker.test_control import start, wait_for
from tests.docker.test_secrets import VALUE, give, secret_environment

pytestmark = pytest.mark.docker

USER, PASSWORD = "corp-QZXJ", "pw-QZXJ5512-KVWM"
PAIR = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class CorporateProxy(ThreadingHTTPServer):
    """A proxy that wants a password and answers for every host itself."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: set[str] = set()
        self.looked = threading.Event()

    @property
    def url(self) -> str:
        """Its address with user and password, as variables have it."""
        return f"http://{USER}:{PASSWORD}@127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, CorporateProxy)
        known = self.headers["Proxy-Authorization"] == f"Basic {PAIR}"
        self.server.asked.add(self.path)
        self.send_response(200 if known else 407)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"seen\n" if self.server.looked.is_set() else b"fine\n" if known else b"who?\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def corporate() -> Iterator[CorporateProxy]:
    with CorporateProxy() as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.05,))
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()


def holding(folder: Path, *words: str) -> list[str]:
    """Files below `folder` that hold one of the words."""
    argv = ["grep", "-rlaF", *(part for word in words for part in ("-e", word)), str(folder)]
    return subprocess.run(argv, capture_output=True, text=True).stdout.split()


def test_the_password_of_this_machines_proxy_stays_with_the_gateway(lab: Lab) -> None:
    # The words are put together when the command runs: the repository does not hold them.
    look = f"""
until curl -s http://agent.allowed.invalid/ | grep -qx seen; do sleep 0.2; done
p={PASSWORD[:6]}; q={PASSWORD[6:]}; b={PAIR[:12]}; c={PAIR[12:]}; port={{port}}
env | grep -c -e "$p$q" -e "$b$c" -e ":$port"
seen=$(cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr '\\0' '\\n'); grep -c -e "$p$q" -e "$b$c" <<< "$seen"
grep -rlaF -e "$p$q" -e "$b$c" / --exclude-dir=proc --exclude-dir=sys 2>/dev/null
echo searched
"""
    with corporate() as proxy:
        more = '[network]\nagent = "limited"\nallow = ["agent.allowed.invalid"]\n'
        setup = "curl -s http://setup.invalid/ > /opt/answer; cat /opt/answer"
        command = look.replace("{port}", str(proxy.server_port))
        project = lab.project("corporate", environment(setup, command=command, more=more, name="corporate"))
        through = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"), proxy.url)
        lab.variables |= {**through, "NO_PROXY": "", "no_proxy": ""}
        try:
            task = start(lab, project)
            wait_for(lab, task, "run.started")
            containers = lab.containers(task)
            inspected = subprocess.run(["docker", "inspect", *containers], capture_output=True, text=True).stdout
            proxy.looked.set()
            wait_for(lab, task, "task.status", status="ready")
        finally:
            for name in (*through, "NO_PROXY", "no_proxy"):
                del lab.variables[name]
        assert proxy.asked == {"http://setup.invalid/", "http://agent.allowed.invalid/"}
    assert lab.output(task, "setup") == "fine\n"
    assert lab.output(task, "agent").split() == ["0", "0", "searched"]
    image = next(s["image"] for s in lab.json("cache", "show")["snapshots"] if s["environment"] == "corporate")
    told = "".join(
        subprocess.run(argv, check=True, capture_output=True, text=True).stdout
        for argv in (["docker", "image", "inspect", image], ["docker", "history", "--no-trunc", image])
    )
    assert '"fumehood.role": "relay"' in inspected
    for word in (PASSWORD, PAIR):
        assert word not in inspected + told
    count = f"docker save {image} | grep -acF -e {PASSWORD} -e {PAIR}"
    assert subprocess.run(count, shell=True, capture_output=True, text=True).stdout == "0\n"
    assert holding(lab.home, PASSWORD, PAIR) == []


PROBE = """
ls /sys/class/net; tail -n +2 /proc/net/route | wc -l
find / -xdev -type s 2>/dev/null; grep -c gateway /proc/mounts
awk 'NR > 1 && $4 == "0A" {print $2}' /proc/net/tcp /proc/net/tcp6
for path in / "//$OTHER"; do curl -s -o /dev/null -w '%{http_code} ' -m 5 "http://$OTHER$path"; done; echo
curl -s -o /dev/null -w '%{http_code}\\n' -m 5 -x "http://127.0.0.1:3128" "http://$OTHER/"
curl -s -o /dev/null -w '%{http_code}\\n' -m 5 "http://$MINE/"
"""


def test_one_task_has_no_use_of_anothers_way_out(tmp_path: Path) -> None:
    """Two tasks at once: what one is allowed says nothing for the other, and none sees anything of the other."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with laboratory(tmp_path / "a") as (work_a, a), laboratory(tmp_path / "b") as (work_b, b):
        only_a, only_b = "only-a.invalid", "only-b.invalid"
        with (
            agent_outlet(work_a, a, make_policy("limited", allow=[only_a])) as variables_a,
            agent_outlet(work_b, b, make_policy("limited", allow=[only_b])) as variables_b,
        ):
            seen = [
                run(container, PROBE, {**variables, "MINE": mine, "OTHER": other})[1].split()
                for container, variables, mine, other in (
                    (a, variables_a, only_a, only_b),
                    (b, variables_b, only_b, only_a),
                )
            ]
            addresses = [c.api.inspect(c.id)["NetworkSettings"]["IPAddress"] for c in (a, b)]
        for told in seen:
            # Loopback alone, no route, no socket, one listener: the own relay. Refused elsewhere; let through, not found.
            assert told[:3] == ["lo", "0", "0"]
            assert [entry.rpartition(":")[2] for entry in told[3:-4]] == [f"{3128:04X}"]
            assert told[-4:] == ["403", "403", "403", "502"]
        assert addresses == ["", ""]
        for work, mine, other in ((work_a, only_a, only_b), (work_b, only_b, only_a)):
            made = [(request.host, request.decision) for request in requests(work)]
            assert made == [(other, "denied")] * 3 + [(mine, "failed")]


def test_a_flood_of_requests_does_not_fill_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet, "MOST_RECORDS", 3)
    ask = 'for n in 1 2 3 4 5; do curl -s -o /dev/null "http://refused-$n.invalid/"; done'
    with laboratory(tmp_path) as (work, container):
        with agent_outlet(work, container, make_policy("limited")) as variables:
            run(container, ask, variables)
        assert [request.host for request in requests(work)] == [f"refused-{n}.invalid" for n in (1, 2, 3)]
        told = [event.text for event in read_all(work.folder) if isinstance(event, Notice)]
    assert told == [
        "the agent made 3 requests: further ones are only counted",
        "further requests of the agent, not listed: 2 denied",
    ]


LISTEN = "while :; do cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; ps axeww; sleep 0.05; done"


@pytest.mark.skipif(os.getuid() != 0, reason="becoming another user takes root")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")
def test_another_user_of_the_host_sees_no_secret_during_setup(lab: Lab, tmp_path: Path) -> None:
    setup = 'for i in $(seq 20); do COPY="$TOK" /bin/true; sleep 0.05; done; echo used; sleep 0.5'
    project = lab.project("watched", secret_environment(setup))
    give(lab, project)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    with (tmp_path / "seen").open("wb") as seen:
        watcher = subprocess.Popen(
            [*nobody, "bash", "-c", LISTEN], stdout=seen, stderr=subprocess.DEVNULL, cwd="/", start_new_session=True
        )
        # Proof that the watcher does see arguments of root's programs.
        shown = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()", "shown-QZXJ"], stdin=-1)
        try:
            state = lab.task(project)
        finally:
            os.killpg(watcher.pid, 9)
            watcher.wait()
            shown.communicate()
    assert state["status"] == "ready", state["error"]
    assert lab.output(state["id"], "setup") == "used\n"
    content = (tmp_path / "seen").read_bytes()
    assert b"shown-QZXJ" in content
    assert b"engine.tasks" in content or b"tui.cli" in content
    assert VALUE.encode() not in content


def test_the_journal_and_network_show_agree_on_the_registries(lab: Lab) -> None:
    lists = 'allow = ["preset:registries", "x.org"]\ndeny = ["evil.test"]\nmethods = ["GET"]\n'
    more = f'[network]\nagent = "limited"\ninspect = true\n{lists}'
    project = lab.project("agree", environment("true", more=more, name="agree"))
    state = lab.task(project)
    assert state["status"] == "ready", state["error"]
    (told,) = [e for e in lab.events(state["id"]) if e["type"] == "network.policy"]
    shown = lab.json("network", "show", "--env", str(project))
    for kind in ("allow", "deny"):
        assert told[kind] == [[e["entry"], e["stored"]] for e in shown["entries"] if e["list"] == kind]
    assert (told["mode"], told["methods"]) == (shown["agent"], shown["methods"])
    (entry, found), written = told["allow"]
    assert (entry, written) == ("preset:registries", ["x.org", ["x.org"]])
    assert found
    plural = "s" if len(found) != 1 else ""
    line = f"network limited: {len(found)} host{plural} of preset:registries, x.org; denied: evil.test; methods GET"
    assert line in lab.run("logs", state["id"]).stdout.splitlines()
