"""Looking for secrets in what setup changed, before it becomes a snapshot (SPEC C7).

Not found: what a file holds compressed (archives, git objects), and the forms `engine.secrets.forms` does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.errors import EngineError
from engine.secrets.patterns import Literals, Patterns, complete, squeeze
from engine.secrets.secret import Secret
from engine.secrets.tar_stream import TarReader

if TYPE_CHECKING:
    import threading

    from engine.containers.container import Container
    from engine.containers.execution import StreamName

# Makes the file that later changes are compared with. Run it before setup; its argument is the path. It waits until
# the file system's clock has moved on, so that nothing changed later has the same time.
MARK = r"""
PATH=/usr/sbin:/usr/bin:/sbin:/bin
: > "$1" || exit 1
for _ in {1..500}; do
  : > "$1.next"
  [ "$1.next" -nt "$1" ] && { rm -f -- "$1.next"; exit 0; }
  sleep 0.01
done
echo "the clock of the file system stands still" >&2
exit 1
"""

# A tar of the regular files and links below $2 that changed since the mark at $1, by the time of their inode, which
# no program can set. fumehood's own folder is no exception: a script with a value in it stays in the snapshot too.
CHANGED_SINCE = r"""
set -o pipefail
PATH=/usr/sbin:/usr/bin:/sbin:/bin
[ -f "$1" ] || { echo "the mark $1 is gone" >&2; exit 3; }
cd -- "$2" || exit 3
find "$2" -ignore_readdir_race -xdev \( -path /proc -o -path /sys -o -path /dev \) -prune -o \
  \( -type f -o -type l \) ! -path "$1" -cnewer "$1" -print0 |
  tar --create --file=- --format=gnu --absolute-names --no-recursion --null --verbatim-files-from --files-from=- \
    --ignore-failed-read --warning=no-file-changed
codes=("${PIPESTATUS[@]}")
# 1 of tar: a file changed while it was read, which a file that something still writes to does.
[ "${codes[0]}" = 0 ] && [ "${codes[1]}" -le 1 ]
"""


class Leak(Struct, frozen=True, order=True):
    """The file at `path` (absolute; bytes that are not text as \\xNN) holds `secret`, written as `form`."""

    path: str
    secret: str
    form: str


class LeakScan(TarReader):
    """Feed it a tar; it looks for every form of `values` in names, link targets and content of any size."""

    def __init__(self, values: Mapping[str, Secret]) -> None:
        super().__init__()
        patterns = Patterns(values, for_files=True)
        self._views = (_PlainView(patterns.plain), _SqueezedView(patterns.squeezed))
        self._path = ""
        self._found: dict[tuple[str, str], Leak] = {}

    def leaks(self) -> list[Leak]:
        """What was found, one for each file and secret, sorted.

        Raises:
            EngineError: the tar has not come to its end.
        """
        self.finish()
        return sorted(self._found.values())

    def entry(self, path: bytes, link: bytes) -> None:
        """A name may be a secret too."""
        self._path = path.decode("utf-8", "backslashreplace")
        for text in (path, link):
            self.content(text)
            self.content_ended()

    def content(self, data: bytes) -> None:
        """Look at the next bytes of the file."""
        for view in self._views:
            for secret, form in view.search(data):
                self._found.setdefault((self._path, secret), Leak(self._path, secret, form))

    def content_ended(self) -> None:
        """What the end of this file was is no beginning of the next."""
        for view in self._views:
            view.reset()


class _PlainView:
    """Searches bytes as they are, over the borders of pieces."""

    def __init__(self, literals: Literals) -> None:
        self._literals = literals
        self._rest = b""

    def search(self, data: bytes) -> Iterable[tuple[str, str]]:
        if not self._literals or not data:
            return ()
        data = self._rest + self._prepared(data)
        self._rest = data[-self._literals.longest :]
        return {(match.secret, match.form) for match in self._literals.search(data)}

    def reset(self) -> None:
        self._rest = b""

    def _prepared(self, data: bytes) -> bytes:
        return data


class _SqueezedView(_PlainView):
    """Searches without white space and escape sequences; one that is cut waits for its rest."""

    def __init__(self, literals: Literals) -> None:
        super().__init__(literals)
        self._cut = b""

    def reset(self) -> None:
        super().reset()
        self._cut = b""

    def _prepared(self, data: bytes) -> bytes:
        data = self._cut + data
        end = complete(data)
        self._cut = data[end:]
        return squeeze(data[:end])


def scan_changes(
    container: Container,
    values: Mapping[str, Secret],
    *,
    since: str,
    timeout: float = 1800.0,
    stop: threading.Event | None = None,
) -> list[Leak]:
    """Look for every form of `values` in what changed in `container` after `MARK` was run for the file `since`.

    Args:
        timeout: seconds the whole may take.
        stop: ends the scan when set.

    Raises:
        EngineError: the scan did not come to its end, so the container must not become a snapshot.
    """
    scan = LeakScan(values)
    told = bytearray()

    def sink(stream: StreamName, data: bytes) -> None:
        if stream == "out":
            scan.feed(data)
        elif len(told) < 4096:
            told.extend(data)

    argv = ("bash", "-c", CHANGED_SINCE, "fumehood", since, "/")
    ended = container.exec(argv, sink, user="0", env={"BASH_ENV": ""}, timeout=timeout, stop=stop)
    if ended.code != 0:
        why = told.decode("utf-8", "replace").strip()[-500:] or f"it did not end within {timeout:g} s"
        raise EngineError(f"the files that setup changed could not be searched for secrets: {why}", "nothing is stored")
    return scan.leaks()
