"""Changes of files in many folders, as they happen (SPEC C5)."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable
from pathlib import Path

# Milliseconds without a change after which changes are told; the longest time they are held back.
_STEP, _HELD = 20, 100


class Watcher:
    """Puts the folders in which something changed into `changes`, from a thread of its own.

    Folders are watched, not files: so a file that is replaced, renamed over, or not there yet is seen as well. Where
    the kernel has no watches left, they are polled.
    """

    def __init__(self) -> None:
        self.changes: queue.Queue[set[Path]] = queue.Queue()
        self.polls = False
        self._folders: frozenset[Path] = frozenset()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, folders: Iterable[Path]) -> None:
        """From now on watch these folders, and no others."""
        wanted = frozenset(folder for folder in folders if folder.is_dir())
        if wanted == self._folders:
            return
        self.close()
        self._folders, self._stop = wanted, threading.Event()
        if wanted:
            self._thread = threading.Thread(target=self._run, args=(wanted, self._stop), name="watch", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Watch nothing any more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._thread, self._folders = None, frozenset()

    def _run(self, folders: frozenset[Path], stop: threading.Event) -> None:
        from watchfiles import watch

        begun = False
        while not stop.is_set():
            try:
                for changes in watch(
                    *folders,
                    watch_filter=None,
                    debounce=_HELD,
                    step=_STEP,
                    rust_timeout=200,
                    yield_on_timeout=True,
                    stop_event=stop,
                    recursive=False,
                    raise_interrupt=False,
                    force_polling=self.polls or None,
                    ignore_permission_denied=True,
                ):
                    if not begun:
                        # What changed before the watch began was not seen.
                        self.changes.put(set(folders))
                    elif changes:
                        named = {Path(path) for _, path in changes}
                        self.changes.put(named | {path.parent for path in named})
                    begun = True
                return
            except (OSError, RuntimeError):
                # A folder went away meanwhile, or there are no watches left.
                if all(folder.is_dir() for folder in folders):
                    self.polls = True
                folders = frozenset(folder for folder in folders if folder.is_dir())
                begun = False
                if not folders:
                    return
