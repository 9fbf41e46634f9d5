"""Secrets reach the setup script and nothing else: no agent, image, log, journal or argv (SPEC S2–S4, C7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docker.conftest import Lab, environment
from tests.docker.traces import container_search, in_folder, in_image

pytestmark = pytest.mark.docker

# Each form of it is another text: JSON has to escape the quotation mark, a URL the slash.
VALUE = 'tok-QZXJ7781"KVWM9920/+x'
PRINT_ALL = """
echo "raw $TOK"
printf '%s' "$TOK" | base64
python3 -c 'import os, urllib.parse, json; t = os.environ["TOK"]; print(urllib.parse.quote(t, safe="")); print(t.encode().hex()); print(json.dumps({"t": t}))'
python3 -c 'import os, sys, time
for c in os.environ["TOK"]: sys.stdout.write(c); sys.stdout.flush(); time.sleep(0.02)'
echo; echo "err $TOK" >&2
sleep 1
echo "$TOK" | sha256sum | cut -c1-8 > /opt/proof
"""


def secret_environment(
    setup: str,
    command: str = "true",
    declared: str = "TOK = {}",
    more: str = "",
    maintenance: str = "",
    name: str = "web",
) -> str:
    return environment(setup, maintenance, command, more=f"{more}\n[secrets]\n{declared}\n", name=name)


def snapshot(lab: Lab, name: str) -> str:
    """The image of an environment's snapshot."""
    return str(next(s["image"] for s in lab.json("cache", "show")["snapshots"] if s["environment"] == name))


def give(lab: Lab, project: Path, value: str = VALUE, name: str = "TOK") -> None:
    done = lab.run("secret", "set", name, "-", "--env", str(project), input=value)
    if done.returncode != 0:
        done = lab.run("secret", "set", name, "--file", "/dev/stdin", "--env", str(project), input=value)
    assert done.returncode == 0, done.stderr


def test_a_secret_is_used_by_setup_and_is_nowhere_afterwards(lab: Lab) -> None:
    text = secret_environment(PRINT_ALL, "cat /opt/proof; env | grep -c QZXJ; bash look.sh", name="keeps")
    project = lab.project("keeps", text, {"look.sh": container_search(VALUE)})
    give(lab, project)
    state = lab.task(project)
    assert state["status"] == "ready", state["error"]
    proof, in_environment, searched, *found = lab.output(state["id"], "agent").splitlines()
    assert (len(proof), in_environment, found) == (8, "0", [])
    assert searched.startswith("searched ")
    printed = lab.output(state["id"], "setup")
    assert "raw ***" in printed
    assert "err ***" in printed
    assert in_folder(VALUE, lab.home) == []
    assert in_image(VALUE, snapshot(lab, "keeps")) == set()
    assert lab.task(project)["cache"]["result"] == "hit"


def test_the_search_for_a_secret_finds_it_in_every_form(lab: Lab) -> None:
    """What the test before rests on: an accepted leak of each form is found in container and image."""
    setup = """
mkdir /opt/seen && cd /opt/seen && python3 - <<'END'
import base64, json, os, urllib.parse
value = os.environ["TOK"]
written = {"raw": value, "base64": base64.b64encode(b"u:" + value.encode()).decode(), "hex": value.encode().hex()}
written |= {"url": urllib.parse.quote(value, safe=""), "json": json.dumps(value)}
for name, text in written.items():
    open(name, "w").write(text)
END
"""
    files = [f"/opt/seen/{form}" for form in ("raw", "base64", "hex", "url", "json")]
    declared = f"TOK = {{ accept = {files} }}".replace("'", '"')
    text = secret_environment(setup, "bash look.sh", declared, name="finds")
    project = lab.project("finds", text, {"look.sh": container_search(VALUE)})
    give(lab, project)
    state = lab.task(project)
    assert state["status"] == "ready", state["error"]
    assert sorted(lab.output(state["id"], "agent").splitlines()[1:]) == sorted(files)
    assert len(in_image(VALUE, snapshot(lab, "finds"))) == len(files)


def test_a_changed_secret_is_a_miss_that_names_it(lab: Lab) -> None:
    project = lab.project("changes", secret_environment("true"))
    give(lab, project)
    assert lab.task(project)["status"] == "ready"
    give(lab, project, VALUE + "2")
    told = lab.json("cache", "explain", "--env", str(project))
    assert (told["result"], told["changed"]) == ("miss", ["secret TOK changed"])


def test_a_secret_left_in_a_file_blocks_the_snapshot_until_it_is_accepted(lab: Lab) -> None:
    setup = 'echo "//r/:_authToken=$TOK" > ~/.npmrc; printf "u:%s" "$TOK" | base64 > /opt/b64'
    project = lab.project("leaks", secret_environment(setup))
    give(lab, project)
    state = lab.task(project)
    assert state["status"] == "error"
    assert state["error"]["phase"] == "setup"
    assert "left secrets in 2 files" in state["error"]["message"]
    assert {line.split(":")[0] for line in state["error"]["tail"].splitlines()} == {"/root/.npmrc", "/opt/b64"}
    assert lab.json("cache", "show")["snapshots"] == [] or all(
        s["environment"] != "leaks" for s in lab.json("cache", "show")["snapshots"]
    )
    accepted = 'TOK = { accept = ["/root/.npmrc", "/opt/b64"] }'
    (project / "fumehood.toml").write_text(secret_environment(setup, declared=accepted))
    assert lab.task(project)["status"] == "ready"


def test_maintenance_gets_only_what_says_so(lab: Lab) -> None:
    maintenance = 'echo "one ${ONE:-none} two ${TWO:-none}"; sleep 300 & disown'
    declared = "ONE = {}\nTWO = { maintenance = true }"
    look = "cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n' | grep -c QZXJ7781"
    project = lab.project("maintain", secret_environment("true", look, declared, maintenance=maintenance))
    give(lab, project, name="ONE")
    give(lab, project, "other-" + VALUE, name="TWO")
    state = lab.task(project)
    assert lab.output(state["id"], "maintenance") == "one none two ***\n"
    assert lab.output(state["id"], "agent") == "0\n"


def test_a_secret_without_a_value_stops_the_task_and_says_how_to_give_it(lab: Lab) -> None:
    project = lab.project("missing", secret_environment("true"))
    done = lab.run("exec", "--env", str(project), "--wait", "go")
    assert done.returncode == 1
    assert "has no value" in done.stdout
    assert "fumehood secret set TOK" in done.stdout


def test_a_diff_with_a_secret_is_not_applied(lab: Lab) -> None:
    setup = 'printf "%s" "$TOK" > /opt/kept'
    declared = 'TOK = { accept = ["/opt/kept"] }'
    project = lab.project("publish", secret_environment(setup, "cat /opt/kept > leaked.txt; cat /opt/kept", declared))
    give(lab, project)
    state = lab.task(project)
    assert state["status"] == "ready"
    assert VALUE not in state["attempts"][0]["answer"]
    refused = lab.run("apply", state["id"])
    assert refused.returncode == 1
    assert "leaked.txt line 1" in refused.stderr
    assert not (project / "leaked.txt").exists()


def test_a_leak_of_maintenance_stops_the_task_even_if_its_script_may_fail(lab: Lab) -> None:
    maintenance = 'echo "$TOK" > /root/kept; exit 3'
    text = secret_environment("true", declared="TOK = { maintenance = true }", maintenance=maintenance)
    project = lab.project("careless", text.replace("[maintenance]", '[maintenance]\non_failure = "continue"'))
    give(lab, project)
    state = lab.task(project)
    assert (state["status"], state["error"]["phase"]) == ("error", "maintenance")
    assert "left secrets in 1 file" in state["error"]["message"]
    assert state["attempts"][0]["commands"] == 0
