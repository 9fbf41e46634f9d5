"""The secrets of environments: their values are only ever set and removed here, never read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from engine.environment.model import Environment


class SecretEntry(NamedTuple):
    """A secret of an environment: whether its file declares it, when its value was set (Unix seconds), None if not."""

    name: str
    declared: bool
    set_at: float | None


class Secrets:
    """Values that scripts of an environment get and agents do not."""

    def set(self, environment: Environment, name: str, value: bytes) -> Sequence[str]:
        """Keep the value of a secret, encrypted (SPEC S1); returns warnings, each a sentence.

        Raises:
            UsageError: name or value cannot be those of an environment variable.
        """
        from engine.secrets.store import Store

        warning = Store(environment).set(name, value)
        warnings = [warning] if warning else []
        if name not in environment.secrets:
            warnings.append(f"{environment.path} does not declare it: add `{name} = {{}}` to [secrets] there")
        return warnings

    def list(self, environment: Environment) -> Sequence[SecretEntry]:
        """The secrets that the environment declares or that have a value, by name; nothing is decrypted."""
        from engine.secrets.store import Store

        kept = Store(environment).names()
        names = sorted({*environment.secrets, *kept})
        return [SecretEntry(name, name in environment.secrets, kept.get(name)) for name in names]

    def remove(self, environment: Environment, name: str) -> None:
        """Forget the value of a secret.

        Raises:
            UsageError: it has none.
        """
        from engine.secrets.store import Store

        Store(environment).remove(name)
