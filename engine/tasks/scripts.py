"""The bash that runs an environment's scripts in a container (SPEC E5, E6). Needs bash, coreutils, diffutils."""

from __future__ import annotations

# Everything of ours in a container lives here; what setup leaves for later phases is in the snapshot with it.
HOME = "/opt/fumehood"
BASHRC = f"{HOME}/bashrc"
_APPENDED = f"{HOME}/bashrc.appended"

# The content of BASHRC, which BASH_ENV names: every bash that is not interactive reads it, login shells after their
# profile, also when the image's .bashrc returns early for such shells. Profiles set PATH anew (Debian's does): what a
# login shell was started with, such as the image's own ENV, is given back to it.
BASHRC_CONTENT = rf"""
__fumehood_path() {{
  local -a given entries
  local variable entry lost=
  mapfile -d '' -t given </proc/$$/environ
  for variable in "${{given[@]}}"; do
    [[ $variable == PATH=* ]] && IFS=: read -r -a entries <<<"${{variable#PATH=}}"
  done
  for entry in "${{entries[@]}}"; do
    [[ :$PATH: == *":$entry:"* ]] || lost+=$entry:
  done
  PATH=$lost$PATH
}}
! shopt -q login_shell || __fumehood_path
unset -f __fumehood_path
[ ! -e {_APPENDED} ] || . {_APPENDED}
"""

# What scripts append to ~/.bashrc is copied to a file of ours: all of it that the image's did not have.
_REMEMBER_BASHRC = f"""
[ -e {HOME}/bashrc.image ] || {{ [ ! -e ~/.bashrc ] || cat ~/.bashrc; }} > {HOME}/bashrc.image
"""
_KEEP_APPENDED = rf"""
if [ -e ~/.bashrc ]; then
  diff --new-line-format='%L' --old-line-format= --unchanged-line-format= \
    {HOME}/bashrc.image ~/.bashrc > {_APPENDED}.new
  mv -f {_APPENDED}.new {_APPENDED}
fi
"""

# Run with: the path to keep the script at, the work directory; the script comes on standard input. It is a login shell
# of its own.
RUN_SCRIPT = rf"""
cat > "$1" && chmod 755 "$1" || exit 1
cd -- "$2" || {{ echo "fumehood: $2 is not there" >&2; exit 1; }}
{_REMEMBER_BASHRC}
BASH_ENV={BASHRC} bash -l -- "$1" </dev/null
code=$?
{_KEEP_APPENDED}
exit $code
"""

# Run as RUN_SCRIPT, with a file for the exit code of the script, written when it exits.
#
# This goes on for as long as anything holds the script's output, so that what the script leaves running can write to it
# and is read. Output and errors have a pipe each.
RUN_SERVICES = rf"""
{_REMEMBER_BASHRC}
{{ {{
  cat > "$1" && chmod 755 "$1" && cd -- "$2" && BASH_ENV={BASHRC} bash -l -- "$1" </dev/null
  echo $? > "$3"
}} 2>&1 >&3 3>&- | cat >&2 3>&-; }} 3>&1 | cat
read -r code < "$3" && exit "$code"
exit 1
"""

# Run with: the command that succeeds when the services are ready, or nothing; the work directory; the last file of
# RUN_SERVICES. Needs a login shell.
#
# Exits with 0 when they are ready, with the code of the start script when that is another. What each try of the command
# prints ends with a zero byte. Without a command they are ready when the script has succeeded, or runs for a second.
AWAIT_SERVICES = rf"""
exec 2>&1
set +eu
code=
cd -- "$2" || exit
for ((try = 1; ; try++)); do
  [ ! -s "$3" ] || read -r code < "$3"
  [ "${{code:-0}}" = 0 ] || exit "$code"
  if [ "$1" ]; then
    (eval "$1") </dev/null
    [ $? != 0 ] || break
    printf '\0'
  elif [ "$code" ] || [ "$try" -gt 10 ]; then
    break
  fi
  sleep 0.1
done
{_KEEP_APPENDED}
exit 0
"""

# What an agent could reach, seen from inside, just before it starts (SPEC T2). One finding a line: `ok|bad TEXT`.
# Attempts that could hang run side by side, each with a limit of its own; all ends within two seconds.
_CUT_OFF = r"""
interfaces=$(ls /sys/class/net 2>/dev/null | tr '\n' ' ')
[ "$interfaces" = "lo " ] && echo "ok only the loopback interface" || echo "bad interfaces: $interfaces"
routes=$(tail -n +2 /proc/net/route | wc -l)
[ "$routes" = 0 ] && echo "ok no route" || echo "bad $routes routes"
{
  timeout 1.5 bash -c 'exec 3<>/dev/tcp/198.51.100.1/80' &&
    echo "bad a direct connection was possible" || echo "ok a direct connection fails"
} 2>/dev/null &
{
  timeout 1.5 bash -c 'exec 3<>/dev/udp/198.51.100.1/53' &&
    echo "bad a datagram could leave" || echo "ok a datagram fails"
} 2>/dev/null &
if type -P getent >/dev/null; then
  { timeout 1.5 getent ahosts example.org >/dev/null && echo "bad DNS answers" || echo "ok DNS fails"; } 2>/dev/null &
fi
"""

SELF_TEST_OFF = f"{_CUT_OFF}wait\n"

_ASK_PROXY = r"""
# The status and the x-proxy-error of a tunnel to $1; nothing when the proxy does not answer.
tunnel() {
  {
    printf 'CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n' "$1" "$1" >&3
    local status= error= line
    read -r -t 1.5 _ status _ <&3
    while read -r -t 0.1 line <&3 && [ "$line" != $'\r' ]; do
      case ${line,,} in x-proxy-error:*) error=${line#*: } ;; esac
    done
    [ -z "$status" ] || printf '%s %s' "$status" "${error%$'\r'}"
  } 3<>/dev/tcp/127.0.0.1/3128
}
# That a tunnel to $1, which is $2, is refused by the policy.
refused() {
  local answer
  answer=$(tunnel "$1" 2>/dev/null)
  case $answer in
    '403 blocked-by-'*) echo "ok the proxy refuses $2" ;;
    *) echo "bad the proxy does not refuse $2: ${answer:-no answer}" ;;
  esac
}
# That the policy lets a tunnel to $1 through. A host that is down or slow is no fault of the policy.
allowed() {
  local answer
  answer=$(tunnel "$1" 2>/dev/null)
  case $answer in
    '200 '*) echo "ok $1 is reached" ;;
    '') echo "ok the proxy does not refuse $1, which has not answered yet" ;;
    '502 '* | '504 '*) echo "ok the proxy does not refuse $1, which does not answer" ;;
    *) echo "bad $1 is not let through: $answer" ;;
  esac
}
refused 169.254.169.254:80 "an address that is not public" &
"""

# Run with: a host and port the policy allows, or nothing. The relay listens already.
SELF_TEST_FULL = f"""{_CUT_OFF}{_ASK_PROXY}
[ -z "$1" ] || allowed "$1" &
wait
"""

# Run with: as SELF_TEST_FULL.
SELF_TEST_LIMITED = f"""{_CUT_OFF}{_ASK_PROXY}
refused refused.invalid:443 "a name outside the allowlist" &
[ -z "$1" ] || allowed "$1" &
wait
"""
