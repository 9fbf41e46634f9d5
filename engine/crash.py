"""What a crash leaves behind of a process that handles secrets (SPEC S2)."""

from __future__ import annotations

import resource


def no_core_files() -> None:
    """Write no memory to disk when this process, or one that it starts, crashes: it may hold secrets."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))
