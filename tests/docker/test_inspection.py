"""TLS inspection in a task: method limits bind HTTPS, clients work unchanged, network secrets stay outside (SPEC N4, N5)."""

from __future__ import annotations

import pytest

from tests.docker.conftest import Lab, environment

pytestmark = pytest.mark.docker

LIMITED = '[network]\nagent = "limited"\ninspect = true\nmethods = ["GET", "HEAD"]\nallow = ["preset:registries"]\n'
# The host of pip's own index, asked of the image's pip.
INDEX = "INDEX=$(python3 -c 'from pip._internal.models.index import PyPI; print(PyPI.netloc)')"


def test_reading_passes_and_writing_is_refused_over_https(lab: Lab) -> None:
    command = f"""
{INDEX}
python3 -m pip download -q --no-deps -d /tmp/p iniconfig && echo pip works
curl -s -o /dev/null -w 'GET %{{http_code}}\\n' https://$INDEX/simple/iniconfig/
curl -s -X POST -d x -o /tmp/body -w 'POST %{{http_code}} %header{{x-proxy-error}}\\n' https://$INDEX/simple/iniconfig/
python3 - <<'END'
import os, ssl, urllib.request
print("python", urllib.request.urlopen(f"https://{{os.environ['INDEX']}}/simple/iniconfig/").status)
END
""".replace("INDEX=$(", "export INDEX=$(")
    state = lab.task(
        lab.project("methods", environment("true", command="bash go.sh", more=LIMITED), {"go.sh": command})
    )
    assert state["status"] == "ready", state["error"]
    printed = lab.output(state["id"], "agent")
    assert "pip works" in printed
    assert "GET 200" in printed
    assert "POST 403 blocked-by-method-policy" in printed
    assert "python 200" in printed
    assert state["network"]["proven"]
    assert state["network"]["denied"] == 1


def test_a_network_secret_is_a_placeholder_in_every_phase(lab: Lab) -> None:
    value = "net-QZXJ7781KVWM9920"
    more = '[network]\nagent = "limited"\ninspect = true\nallow = ["api.example.org"]\n[secrets]\nAPI_KEY = { hosts = ["api.example.org"] }\n'
    look = "echo $API_KEY; p=QZXJ; cat /proc/*/environ | tr '\\0' '\\n' | grep -c ${p}7781; grep -rlaF ${p}7781 / --exclude-dir=proc --exclude-dir=sys 2>/dev/null; true"
    project = lab.project("credential", environment("echo $API_KEY", command="bash go.sh", more=more), {"go.sh": look})
    assert lab.run("secret", "set", "API_KEY", "-", "--env", str(project), input=value).returncode == 0
    state = lab.task(project)
    assert state["status"] == "ready", state["error"]
    assert lab.output(state["id"], "setup").startswith("fumehood-api-key-")
    placeholder, count, *files = lab.output(state["id"], "agent").split()
    assert placeholder.startswith("fumehood-api-key-")
    assert (count, files) == ("0", [])
