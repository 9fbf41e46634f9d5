"""What a start goes by: an environment and its repository, and what follows from both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.cache.key import Key
    from engine.environment.model import Environment
    from engine.repository.mirror import Mirror, Resolved
    from engine.repository.source import Source
    from engine.secrets.secret import Secret
    from engine.setup.effective import Effective
    from engine.setup.tree import Tree


@dataclass(frozen=True, slots=True)
class Checkout:
    """The repository worked on: its mirror, the commit to work on and the commit snapshots are made from."""

    mirror: Mirror
    target: Resolved
    default: Resolved


def fetched(
    environment: Environment, source: Source, branch: str = "", while_waiting: Callable[[], None] = lambda: None
) -> Checkout:
    """The repository brought up to date, to work on this branch, tag or sha; empty means the default branch.

    Raises:
        RepositoryError: it cannot be read, or has no such commit.
    """
    from engine.repository.mirror import Mirror

    mirror = Mirror(source)
    mirror.update(while_waiting=while_waiting)
    default_branch = environment.repository.default_branch
    default = mirror.resolve(None, default_branch)
    target = mirror.resolve(branch, default_branch) if branch else default
    return Checkout(mirror, target, default)


@dataclass(slots=True)
class Inputs:
    """An environment and its source; the repository is fetched once, and only when something of it is needed."""

    environment: Environment
    source: Source
    _checkout: Checkout | None = field(default=None, init=False)
    _effective: Effective | None = field(default=None, init=False)
    _watched: Mapping[str, str] | None = field(default=None, init=False)

    @property
    def checkout(self) -> Checkout:
        """The repository, at its default branch.

        Raises:
            RepositoryError: it cannot be read.
        """
        if self._checkout is None:
            self._checkout = fetched(self.environment, self.source)
        return self._checkout

    @property
    def effective(self) -> Effective:
        """The scripts of the environment with those of automatic setup, which goes by the default branch.

        Raises:
            RepositoryError: automatic setup is wanted and the repository cannot be read.
        """
        if self._effective is None:
            from engine.setup.effective import effective

            self._effective = effective(self.environment, self._tree, self.source.subdirectory)
        return self._effective

    def _tree(self) -> Tree:
        from engine.repository.tree import CommitTree

        return CommitTree(self.checkout.mirror.git_dir, self.checkout.default.sha)

    @property
    def watched(self) -> Mapping[str, str]:
        """The files maintenance depends on, as the commit worked on has them; empty when nothing is watched."""
        if self._watched is None:
            self._watched = self.watched_at(self.checkout.target.sha) if self.effective.watch else {}
        return self._watched

    def watched_at(self, sha: str) -> Mapping[str, str]:
        """The files maintenance depends on, as another commit has them."""
        from engine.repository.watched import at_commit

        return at_commit(self.checkout.mirror.git_dir, sha, self.source.subdirectory, self.effective.watch)

    def key(self, image_id: str, secrets: Mapping[str, Secret]) -> Key:
        """The cache key, for this image and these values of the environment's secrets."""
        from engine.cache.key import cache_key

        return cache_key(
            self.environment,
            image_id=image_id,
            repository=self.source.identity,
            secrets=secrets,
            automatic=self.effective.plan_text,
        )
