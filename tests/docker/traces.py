"""Looking for a secret where it must not be, in every form it could be written in."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.parse
from pathlib import Path

_PIECE = 20


def forms(value: str) -> dict[str, str]:
    """A value as it could be written down; base64 at each offset, without the characters its neighbours have a say in."""
    data = value.encode()
    encoded = {f"base64 at {n}": base64.b64encode(b"x" * n + data)[4 * bool(n) : -4].decode() for n in range(3)}
    return {
        "raw": value,
        **encoded,
        "url": urllib.parse.quote(value, safe=""),
        "hex": data.hex(),
        "HEX": data.hex().upper(),
        "json": json.dumps(value)[1:-1],
    }


def patterns(value: str) -> str:
    """What grep looks for, a line each: the beginnings of all forms, as a part of a secret is a leak too."""
    return "".join(f"{form[:_PIECE]}\n" for form in sorted(set(forms(value).values())))


def in_folder(value: str, folder: Path) -> list[str]:
    """The files below `folder` that hold the value."""
    argv = ["grep", "-rlaF", "-f", "-", str(folder)]
    done = subprocess.run(argv, input=patterns(value), capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.splitlines()


def in_image(value: str, image: str) -> set[str]:
    """What all that docker has of an image holds of the value: configuration, history, every layer."""
    everything = 'docker save "$0" && docker image inspect "$0" && docker history --no-trunc "$0"'
    command = f"exec 3<&0 </dev/null; {{ {everything}; }} | grep -aoF -f <(cat <&3); [ ${{PIPESTATUS[0]}} = 0 ]"
    argv = ["bash", "-c", command, image]
    return set(subprocess.run(argv, input=patterns(value), capture_output=True, text=True, check=True).stdout.split())


def container_search(value: str) -> str:
    """A script for a container that prints what holds the value: files, and environments and arguments of processes.

    Of files it takes the places that something is written to in use; all others are in the image. The script is a file there itself, so it has every pattern reversed; nor may one be an argument.
    """
    reversed_patterns = "\n".join(line[::-1] for line in patterns(value).split())
    return f"""
look() {{ rev <<'END' | grep -laF -f - "$@" 2>/dev/null
{reversed_patterns}
END
}}
[ "$(rev <<<cba)" = abc ] || echo "rev does not work"
echo searched $(ls -d /proc/[0-9]* | wc -l) processes
look /proc/[0-9]*/environ /proc/[0-9]*/cmdline
look -r /dev/shm /etc /home /opt /root /run /srv /tmp /usr/local /var /workspace
true
"""
