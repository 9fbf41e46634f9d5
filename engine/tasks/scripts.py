"""The bash that runs an environment's scripts in a container (SPEC E5, E6). Needs bash, coreutils, diffutils."""

from __future__ import annotations

# Everything of ours in a container lives here; what setup leaves for later phases is in the snapshot with it.
HOME = "/opt/fumehood"
BASHRC = f"{HOME}/bashrc"

# Run with: the script's path, the work directory.
#
# The script is a login shell of its own. What it appends to ~/.bashrc is copied to a file that BASH_ENV names,
# so that it holds in every later shell, also when the image's .bashrc returns early for non-interactive ones.
RUN_SCRIPT = r"""
cd -- "$2" || { echo "fumehood: $2 is not there" >&2; exit 1; }
home=/opt/fumehood rc=~/.bashrc
[ -e "$home/bashrc.image" ] || { [ -e "$rc" ] && cat -- "$rc" || :; } > "$home/bashrc.image"
BASH_ENV=$home/bashrc bash -l -- "$1" </dev/null
code=$?
[ -e "$rc" ] && diff --new-line-format='%L' --old-line-format= --unchanged-line-format= \
  "$home/bashrc.image" "$rc" > "$home/bashrc.new"
[ -e "$home/bashrc.new" ] && mv -f "$home/bashrc.new" "$home/bashrc"
exit $code
"""

# What the agent could reach, seen from inside, just before it starts (SPEC T2). One finding a line: `ok|bad TEXT`.
SELF_TEST_OFF = r"""
interfaces=$(ls /sys/class/net 2>/dev/null | tr '\n' ' ')
[ "$interfaces" = "lo " ] && echo "ok only the loopback interface" || echo "bad interfaces: $interfaces"
routes=$(tail -n +2 /proc/net/route | wc -l)
[ "$routes" = 0 ] && echo "ok no route" || echo "bad $routes routes"
if timeout 2 bash -c 'exec 3<>/dev/tcp/198.51.100.1/80' 2>/dev/null; then
  echo "bad a direct connection was possible"
else
  echo "ok a direct connection fails"
fi
"""
