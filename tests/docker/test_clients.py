"""Real clients in a container against real servers: they install in setup, and are told why they may not (SPEC N3–N7)."""

from __future__ import annotations

import pytest

from tests.docker.conftest import environment
from tests.docker.https_lab import HttpsLab

pytestmark = pytest.mark.docker

# From this machine's registries: apt, pip, npm. From the server, whose authority is added first: all of them, and more.
SETUP = """
set -eu
cp lab.crt /usr/local/share/ca-certificates/lab.crt && update-ca-certificates >/dev/null 2>&1
apt-get update -qq && apt-get install -y -qq --no-install-recommends tree >/dev/null
pip install -qq requests
npm install --silent --no-audit --no-fund --prefix /opt/node is-number
pip install -qq --no-deps --index-url $SERVER/files/simple/ lab-wheel
npm install --silent --no-audit --no-fund --prefix /opt/lab --registry $SERVER/npm/ lab-package
git clone -q $SERVER/git/lab.git /opt/clone
curl -sSf $SERVER/curl > /opt/curl
node -e 'fetch(process.env.SERVER + "/fetch").then(r => r.text()).then(t => process.stdout.write(t))' > /opt/fetch
python3 -c 'import os, requests; print(requests.get(os.environ["SERVER"] + "/requests").text, end="")' > /opt/requests
"""
INSTALLED = """
tree --version | cut -c1-4
python3 -c 'import requests, lab_wheel; print(lab_wheel.NAME)'
node -p 'require("/opt/node/node_modules/is-number")(7) && require("/opt/lab/node_modules/lab-package")'
cat /opt/clone/README /opt/curl /opt/fetch /opt/requests
"""
HAVE = "tree\nlab wheel\nlab package\ncloned\nreached GET\nreached GET\nreached GET"
# What the scripts of agents have: fetch METHOD URL, as Node does it, and requests METHOD URL, as Python does.
PROGRAMS = """
fetch() {
  node -e 'fetch(process.argv[2], {method: process.argv[1]})
    .then(async r => console.log(r.status, (await r.text()).trim()), e => console.log(e.cause.message))' "$@"
}
requests() {
  python3 - "$@" <<'END'
import sys, requests
try:
    answer = requests.request(*sys.argv[1:])
    print(answer.status_code, answer.text.strip())
    answer.raise_for_status()
except requests.RequestException as fault:
    print(fault)
END
}
"""


def printed_by(lab: HttpsLab, name: str, network: str, commands: dict[str, str], variables: str = "") -> dict[str, str]:
    """What an agent's commands printed, in a task whose setup has installed with every client."""
    more = f'[network]\nagent = "limited"\nallow = ["={lab.allowed}"]\n{network}\n'
    names = f'SERVER = "https://{lab.allowed}"\nOTHER = "https://{lab.other}"\n{variables}'
    text = environment(SETUP, command="bash go.sh 2>&1", more=more, variables=names, name=name)
    parts = {"installed": INSTALLED, **commands}
    script = PROGRAMS + "".join(f"echo @@{part}\n{command}\n" for part, command in parts.items()) + "true\n"
    state = lab.task(lab.project(name, text, {"go.sh": script, "lab.crt": lab.certificate}))
    assert state["status"] == "ready", (state["error"], lab.output(state["id"]))
    output = lab.output(state["id"], "agent")
    printed = dict(part.split("\n", 1) for part in output.split("@@")[1:])
    assert list(printed) == list(parts), output
    assert printed.pop("installed").strip() == HAVE
    return {part: text.strip() for part, text in printed.items()}


def test_clients_install_in_setup_and_agents_are_told_the_rule(https_lab: HttpsLab) -> None:
    """Tunnels that nobody looks into: what is allowed works, and each client prints why the rest does not."""
    lab = https_lab
    allowed = {
        "curl": "curl -sS $SERVER/agent",
        "git": "git -C /opt/clone pull -q && echo pulled",
        "pip": "pip download -qq --no-deps -d /tmp/p --index-url $SERVER/files/simple/ lab-wheel && ls /tmp/p",
        "npm": "npm view --registry $SERVER/npm/ lab-package version",
        "fetch": "fetch GET $SERVER/agent",
        "requests": "requests GET $SERVER/agent",
        "NODE_OPTIONS": "node -p process.title",
        "NO_PROXY": """
            node -e 'const s = require("http").createServer((_, r) => r.end("itself")).listen(0, "127.0.0.1", () =>
              fetch("http://127.0.0.1:" + s.address().port).then(r => r.text()).then(console.log).then(() => s.close()))'""",
    }
    refused = {
        "no pip": "pip download --retries 1 -d /tmp/p lab-wheel --index-url $OTHER/files/simple/",
        "no npm": "npm view --fetch-retries 0 lab-package --registry $OTHER/npm/",
        "no fetch": "fetch GET $OTHER/",
        "no requests": "requests GET $OTHER/",
        "no curl": "curl -sS $OTHER/",
        "no git": "git clone -q $OTHER/git/lab.git /tmp/clone",
        "plain": "curl -sS http://${OTHER#*//}/",
    }
    printed = printed_by(lab, "tunnels", "", {**allowed, **refused}, 'NODE_OPTIONS = "--title=mine"')
    assert {name: printed[name] for name in allowed} == {
        "curl": "reached GET",
        "git": "pulled",
        "pip": "lab_wheel-1.0-py3-none-any.whl",
        "npm": "1.0.0",
        "fetch": "200 reached GET",
        "requests": "200 reached GET",
        "NODE_OPTIONS": "mine",
        "NO_PROXY": "itself",
    }
    reason = f"403 Forbidden (fumehood: {lab.other}:443 was refused: no rule allows it)"
    for name in ("no pip", "no npm", "no fetch", "no requests"):
        assert reason in printed[name], name
    # These two print the status of a refused tunnel and nothing else of it.
    assert "403" in printed["no curl"]
    assert "403" in printed["no git"]
    assert printed["plain"] == f"fumehood: {lab.other}:80 was refused: no rule allows it"
    assert lab.seen(lab.other) == []


def test_reading_passes_and_writing_is_refused_to_every_client(https_lab: HttpsLab) -> None:
    """Method limits inside TLS: the same clients, now with the gateway's certificates (SPEC N4, N6)."""
    lab = https_lab
    read = {
        "curl": "curl -sS $SERVER/read",
        "HEAD": "curl -sS -I -o /dev/null -w '%{http_code}' $SERVER/read",
        "OPTIONS": "curl -sS -X OPTIONS $SERVER/read",
        "npm": "npm view --registry $SERVER/npm/ lab-package version",
        "pip": "pip download -qq --no-deps -d /tmp/p --index-url $SERVER/files/simple/ lab-wheel && ls /tmp/p",
        "apt": """
            echo "deb [trusted=yes] $SERVER/files/apt ./" > /etc/apt/sources.list.d/lab.list
            apt-get update -qq -o Dir::Etc::sourcelist=sources.list.d/lab.list -o Dir::Etc::sourceparts=- 2>/dev/null
            apt-cache show lab-tool | grep ^Description:""",
        "requests": "requests GET $SERVER/read",
        "fetch": "fetch GET $SERVER/read",
    }
    written = {
        "no curl": "curl -sS -d x -w '%{http_code} %header{x-proxy-error}' $SERVER/written",
        "no requests": "requests POST $SERVER/written",
        "no fetch": "fetch POST $SERVER/written",
        "no pip": "pip search --retries 0 --index $SERVER/written anything",
        "no npm": """
            mkdir /tmp/new && cd /tmp/new && echo '{"name": "new", "version": "1.0.0"}' > package.json
            npm publish --registry $SERVER/npm/ "--${SERVER#https:}/npm/:_authToken=x" """,
        "no git": "git clone -q $SERVER/git/lab.git /tmp/clone",
    }
    before = len(lab.seen(lab.allowed))
    limits = 'inspect = true\nmethods = ["GET", "HEAD", "OPTIONS"]'
    printed = printed_by(lab, "methods", limits, {**read, **written})
    assert {name: printed[name] for name in read} == {
        "curl": "reached GET",
        "HEAD": "200",
        "OPTIONS": "reached OPTIONS",
        "npm": "1.0.0",
        "pip": "lab_wheel-1.0-py3-none-any.whl",
        "apt": "Description: a tool",
        "requests": "200 reached GET",
        "fetch": "200 reached GET",
    }
    post = f"fumehood: POST to {lab.allowed}:443 was refused: allowed methods are GET, HEAD, OPTIONS"
    assert printed["no curl"] == f"{post}\n403 blocked-by-method-policy"
    assert printed["no fetch"] == f"403 {post}"
    assert printed["no requests"].startswith(f"403 {post}\n")
    for name in ("no requests", "no pip"):
        assert f"403 Client Error: Forbidden ({post}) for url" in printed[name], name
    assert f"403 Forbidden ({post.replace('POST', 'PUT')})" in printed["no npm"]
    # Even to read, git has to send: it prints the status alone.
    assert "HTTP 403" in printed["no git"]
    arrived = [r for r in lab.seen(lab.allowed)[before:] if r["path"] != "/git/lab.git/git-upload-pack"]
    assert {r["method"] for r in arrived} == {"GET", "HEAD", "OPTIONS"}
