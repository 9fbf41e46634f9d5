"""A network secret reaches the server it is bound to, and nothing else (SPEC N5)."""

from __future__ import annotations

import base64

import pytest

from tests.docker.conftest import environment
from tests.docker.https_lab import HttpsLab
from tests.docker.traces import container_search, in_folder, in_image

pytestmark = pytest.mark.docker

# A quotation mark, a slash and a backslash: each form is another text.
KEY = 'net-key-7781"KVWM/9920\\x'
TOKEN = 'net-token-4420/QZXJ"+8817'


def test_a_network_secret_arrives_at_its_host_and_is_nowhere_else(https_lab: HttpsLab) -> None:
    lab = https_lab
    calls = """
curl -sS -H "Authorization: Bearer $TOKEN" $SERVER/$PHASE-bearer
curl -sS -u "user:$TOKEN" $SERVER/$PHASE-basic
curl -sS -H "Authorization: Bearer $TOKEN" $OTHER/$PHASE-bearer
curl -sS -u "user:$TOKEN" $OTHER/$PHASE-basic
env | grep ^TOKEN=
"""
    trust = "cp lab.crt /usr/local/share/ca-certificates/lab.crt && update-ca-certificates >/dev/null 2>&1\n"
    more = f"""
[network]
agent = "limited"
inspect = true
allow = ["={lab.allowed}", "={lab.other}"]
[secrets]
KEY = {{ hosts = ["{lab.allowed}"], header = "X-Api-Key" }}
TOKEN = {{ hosts = ["{lab.allowed}"] }}
"""
    names = f'SERVER = "https://{lab.allowed}"\nOTHER = "https://{lab.other}"'
    files = {
        "lab.crt": lab.certificate,
        "calls.sh": calls,
        "look.sh": container_search(KEY) + container_search(TOKEN),
    }
    phases = {phase: f"PHASE={phase} bash calls.sh" for phase in ("setup", "maintenance", "agent")}
    # The search goes on while a program runs that was given what the agent was given.
    agent = f"{phases['agent']}; sleep 60 & bash look.sh; kill $!"
    text = environment(trust + phases["setup"], phases["maintenance"], agent, more, names, name="bound")
    project = lab.project("bound", text, files)
    for name, value in (("KEY", KEY), ("TOKEN", TOKEN)):
        assert lab.run("secret", "set", name, "-", "--env", str(project), input=value).returncode == 0
    state = lab.task(project)
    assert state["status"] == "ready", state["error"]

    def fields(host: str, name: str) -> list[str]:
        return [value for r in lab.seen(host) for field, value in r["headers"] if field.lower() == name]

    basic = f"Basic {base64.b64encode(f'user:{TOKEN}'.encode()).decode()}"
    assert fields(lab.allowed, "authorization") == [f"Bearer {TOKEN}", basic] * 3
    assert fields(lab.allowed, "x-api-key") == [KEY] * 6
    assert fields(lab.other, "x-api-key") == []
    other = fields(lab.other, "authorization")
    assert len(other) == 6
    assert not any(TOKEN in value or value == basic for value in other)
    # What the other host got, and what programs see, is a placeholder of this task.
    placeholder = other[0].removeprefix("Bearer ")
    assert placeholder.startswith("fumehood-token-")
    for phase in phases:
        assert f"TOKEN={placeholder}\n" in lab.output(state["id"], phase)
    *_, first, second = lab.output(state["id"], "agent").splitlines()
    assert all(line.startswith("searched ") for line in (first, second))

    image = next(s["image"] for s in lab.json("cache", "show")["snapshots"] if s["environment"] == "bound")
    for value in (KEY, TOKEN):
        # All of the user's folders: journal, output and result of the task, settings, cache.
        assert in_folder(value, lab.home) == []
        assert in_image(value, image) == set()
