"""The front desk: the one object that the command line and the screens talk to, a desk for each subject.

It is cheap to make: docker, git and the environment loader are imported when a call needs them.
"""

from __future__ import annotations

from pathlib import Path

from engine.bench.agents import Agents
from engine.bench.cache import Cache
from engine.bench.environments import Environments
from engine.bench.images import Images
from engine.bench.keeper import Keeper
from engine.bench.network import Network
from engine.bench.publishing import Publishing
from engine.bench.results import Results
from engine.bench.secrets import Secrets
from engine.bench.tasks import Tasks


class Bench:
    """Environments, cache and tasks of this user, seen from the folder `cwd`."""

    def __init__(self, cwd: Path | None = None) -> None:
        self.cwd = cwd or Path.cwd()
        self.environments = Environments(self.cwd)
        self.tasks = Tasks(self.environments)
        self.results = Results(self.cwd, self.environments, self.tasks)
        self.publishing = Publishing(self.cwd, self.environments, self.tasks)
        self.cache = Cache(self.environments)
        self.keeper = Keeper()
        self.network = Network(self.tasks)
        self.secrets = Secrets()
        self.agents = Agents()
        self.images = Images(self.environments)
