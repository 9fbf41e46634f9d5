"""Setup and maintenance scripts: their own shell, ~/.bashrc, their end, their failures (SPEC E5, E6, T3)."""

from __future__ import annotations

import time

import pytest

from tests.docker.conftest import Lab, environment

pytestmark = pytest.mark.docker

# What Debian and Ubuntu ship for users: it returns at once in a shell that is not interactive.
EARLY_RETURN = "printf 'case $- in\\n *i*) ;;\\n *) return;;\\nesac\\n' > ~/.bashrc\n"


def test_exports_do_not_persist_and_bashrc_does(lab: Lab) -> None:
    setup = "export GONE=1\necho 'export KEPT=\"from setup\"' >> ~/.bashrc\n"
    maintenance = 'echo "maintenance: $KEPT ${GONE:-gone}"\necho "export LATER=yes" >> ~/.bashrc\n'
    command = 'echo "agent: $KEPT $LATER ${GONE:-gone}"; sh -c "echo sh: $KEPT"'
    state = lab.task(lab.project("rc", environment(setup, maintenance, command)))
    assert lab.output(state["id"], "maintenance") == "maintenance: from setup gone\n"
    assert lab.output(state["id"], "agent") == "agent: from setup yes gone\nsh: from setup\n"


def test_bashrc_holds_when_the_images_own_returns_early(lab: Lab) -> None:
    import subprocess

    image = f"fumehood-test/early-{lab.home.name}"
    made = subprocess.run(
        ["docker", "run", "-d", "--network", "none", "fumehood/base:bookworm", "bash", "-c", EARLY_RETURN],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    subprocess.run(["docker", "wait", made], check=True, capture_output=True)
    subprocess.run(["docker", "commit", made, image], check=True, capture_output=True)
    subprocess.run(["docker", "rm", made], check=True, capture_output=True)
    try:
        text = environment(
            "echo 'export KEPT=1' >> ~/.bashrc", 'echo "m $KEPT"', 'echo "a $KEPT"', f'[image]\nname = "{image}"'
        )
        state = lab.task(lab.project("early", text, {}))
        assert (state["status"], lab.output(state["id"])) == ("ready", "m 1\na 1\n")
        lab.clean_up()
    finally:
        subprocess.run(["docker", "rmi", image], check=True, capture_output=True)


def test_a_phase_ends_with_its_script_and_its_leftovers_do_not_live_on(lab: Lab) -> None:
    setup = "sleep 300 & disown\nread line || echo no input\nexit 0\n"
    began = time.monotonic()
    state = lab.task(lab.project("left", environment(setup, command="pgrep -a sleep | grep 300 || echo nobody")))
    assert state["status"] == "ready"
    assert time.monotonic() - began < 60
    assert lab.output(state["id"], "setup") == "no input\n"
    assert lab.output(state["id"], "agent") == "nobody\n"


def test_a_script_of_a_megabyte_runs(lab: Lab) -> None:
    setup = "# filling\n" * 90_000 + "echo done > /opt/big\n"
    state = lab.task(lab.project("big", environment(setup, command="cat /opt/big")))
    assert lab.output(state["id"], "agent") == "done\n"


def test_scripts_run_as_written(lab: Lab) -> None:
    setup = "cat <<'EOF' > /opt/x\n$HOME `id` \\ \"quotes\"\nEOF\n"
    state = lab.task(lab.project("quotes", environment(setup, command="cat /opt/x")))
    assert lab.output(state["id"], "agent") == '$HOME `id` \\ "quotes"\n'


def test_a_failed_setup_shows_its_end_caches_nothing_and_starts_no_agent(lab: Lab) -> None:
    project = lab.project("fails", environment("for i in $(seq 100); do echo line $i; done\nexit 7\n", name="fails"))
    state = lab.task(project)
    assert state["status"] == "error"
    assert state["error"]["phase"] == "setup"
    assert state["error"]["exit_code"] == 7
    assert state["error"]["tail"].splitlines() == [f"line {i}" for i in range(51, 101)]
    assert lab.json("cache", "explain", "--env", str(project))["reason"] == "no snapshot yet"
    assert state["attempts"][0]["commands"] == 0
    assert lab.containers(state["id"]) == []
    shown = lab.run("status", state["id"])
    assert shown.returncode == 1
    assert "exit code 7" in shown.stdout
    assert "line 100" in shown.stdout


def test_set_e_counts(lab: Lab) -> None:
    state = lab.task(lab.project("sete", environment("set -e\nfalse\necho never\n")))
    assert (state["status"], state["error"]["exit_code"]) == ("error", 1)


def test_a_failed_maintenance_stops_unless_it_may_continue(lab: Lab) -> None:
    project = lab.project("maint", environment("true", "echo broken; exit 3", "echo agent ran"))
    state = lab.task(project)
    assert (state["status"], state["error"]["phase"], state["error"]["exit_code"]) == ("error", "maintenance", 3)
    text = (project / "fumehood.toml").read_text()
    (project / "fumehood.toml").write_text(text.replace("[maintenance]", '[maintenance]\non_failure = "continue"'))
    state = lab.task(project)
    assert (state["status"], lab.output(state["id"], "agent")) == ("ready", "agent ran\n")


def test_a_script_that_hangs_ends_at_its_time_limit(lab: Lab) -> None:
    text = environment("echo begin\nsleep infinity\n").replace("[setup]", '[setup]\ntimeout = "2s"')
    state = lab.task(lab.project("hangs", text))
    assert (state["status"], state["error"]["phase"]) == ("error", "setup")
    assert "did not end within 2 s" in state["error"]["message"]
    assert state["error"]["tail"] == "begin"
    assert lab.containers(state["id"]) == []
