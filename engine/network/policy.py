"""What the gateway allows in one phase: a pure decision on host, port and method (SPEC N1, N3, N6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from engine.errors import UsageError
from engine.network.hosts import show_authority
from engine.network.rules import Rule, parse_methods, parse_rules

Mode = Literal["off", "limited", "full"]
ProxyError = Literal["blocked-by-allowlist", "blocked-by-denylist", "blocked-by-method-policy", "blocked-by-policy"]
_SHOWN_PATH = 100


class Decision(Struct, frozen=True):
    """The answer to one request.

    Attributes:
        rule: the rule that decided, as the log shows it; empty when none did.
        reason: one sentence for the log and for the agent; empty when allowed.
        error: the value of `x-proxy-error` when not allowed.
    """

    allowed: bool
    rule: str = ""
    reason: str = ""
    error: ProxyError = "blocked-by-policy"


class ModelRules(Struct, frozen=True):
    """What an agent may ask of the one host of its model, whatever else the policy says (SPEC N5).

    Attributes:
        rules: each names that host and port exactly, methods and a path.
    """

    rules: tuple[Rule, ...]

    def covers(self, host: str, port: int) -> bool:
        """Whether a request is for the model."""
        return any(rule.admits(host, port) for rule in self.rules)


class Policy(Struct, frozen=True):
    """The network policy of one phase.

    Attributes:
        mode: `off` allows nothing, `limited` what `allow` names, `full` every public host.
        allow: the allowlist of `limited`; empty allows nothing.
        deny: what is refused in every mode; it beats `allow`.
        methods: the HTTP methods allowed where the gateway sees them, None for all.
        inspect: the gateway ends TLS where that is needed to see methods and paths (SPEC N4).
        model: the agent's way to its model; only `deny` beats it.
    """

    mode: Mode
    allow: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()
    methods: frozenset[str] | None = None
    inspect: bool = False
    model: ModelRules | None = None

    def checks_tunnel(self, host: str, port: int) -> bool:
        """Whether a tunnel must carry TLS or HTTP for the very host it was opened to; otherwise any bytes may pass."""
        return self.mode == "limited" or self.methods is not None or self.is_model(host, port)

    def is_model(self, host: str, port: int) -> bool:
        """Whether `host:port` is that of the agent's model."""
        return self.model is not None and self.model.covers(host, port)

    def inspects(self, host: str, port: int) -> bool:
        """Whether the requests inside a tunnel to `host:port` have to be seen to decide on them."""
        if not self.inspect:
            return False
        if self.methods is not None or self.is_model(host, port):
            return True
        return self.mode == "limited" and all(r.narrow for r in self._admitting(host, port))

    def decide(self, host: str, port: int, method: str | None, path: str = "/") -> Decision:
        """Judge a request to a canonical host; `method` is None for a tunnel, whose requests are not seen (yet).

        Without `inspect`, method limits therefore bind plain HTTP only.
        """
        where = show_authority(host, port)
        if self.mode == "off":
            return Decision(False, reason=f"{where} was refused: the internet is off in this phase")
        banned = next((rule for rule in self.deny if rule.bans(host, port)), None)
        if banned is not None:
            reason = f"{where} was refused: rule {banned.shown} denies it"
            return Decision(False, banned.shown, reason, "blocked-by-denylist")
        if self.model is not None and self.model.covers(host, port):
            rules = list(self.model.rules)
            return Decision(True, rules[0].shown) if method is None else _narrowed(rules, method, where, path)
        admitting = self._admitting(host, port)
        if self.mode == "limited" and not admitting:
            reason = f"{where} was refused: no rule allows it{self._near(host)}"
            return Decision(False, "", reason, "blocked-by-allowlist")
        first = admitting[0].shown if admitting else "full"
        if method is None:
            return Decision(True, first)
        if self.methods is not None and method not in self.methods:
            return _method_refusal(method, where, self.methods, first)
        return _narrowed(admitting, method, where, path) if admitting else Decision(True, first)

    def _admitting(self, host: str, port: int) -> list[Rule]:
        return [rule for rule in self.allow if rule.admits(host, port)] if self.mode == "limited" else []

    def _near(self, host: str) -> str:
        rule = next((rule for rule in self.allow if rule.covers(host)), None)
        return f" on this port (rule {rule.shown} allows others)" if rule else ""


def _narrowed(admitting: list[Rule], method: str, where: str, path: str) -> Decision:
    """The decision of rules that all admit the host, on method and path: one of them has to permit both."""
    fitting = [rule for rule in admitting if rule.permits_path(path)]
    permitting = next((rule for rule in fitting if rule.permits_method(method)), None)
    if permitting is not None:
        return Decision(True, permitting.shown)
    if fitting:
        methods = frozenset[str]().union(*(rule.methods or () for rule in fitting))
        return _method_refusal(method, where, methods, fitting[0].shown)
    shown = path.partition("?")[0]
    shown = shown if len(shown) <= _SHOWN_PATH else f"{shown[:_SHOWN_PATH]}…"
    reason = f"{where}{shown} was refused: rule {admitting[0].shown} does not allow this path"
    return Decision(False, admitting[0].shown, reason)


def _method_refusal(method: str, where: str, methods: frozenset[str], rule: str) -> Decision:
    reason = f"{method} to {where} was refused: allowed methods are {', '.join(sorted(methods)) or 'none'}"
    return Decision(False, rule, reason, "blocked-by-method-policy")


def make_policy(
    mode: Mode,
    *,
    allow: Iterable[str] = (),
    deny: Iterable[str] = (),
    methods: Iterable[str] | None = None,
    registries: Sequence[str] | None = None,
    inspect: bool = False,
) -> Policy:
    """A policy from what an environment file says, every entry read strictly.

    Args:
        registries: the entries of the package registries, which presets hold; None while they are not known.
        inspect: TLS is ended at the gateway where needed; entries of `allow` may then name methods and paths.

    Raises:
        UsageError: an unknown mode, an entry or a method that is not usable.
    """
    if mode not in ("off", "limited", "full"):
        raise UsageError(f"unknown network mode {mode!a}", "write off, limited or full")
    return Policy(
        mode,
        parse_rules(allow, registries, inspect=inspect),
        parse_rules(deny, registries),
        None if methods is None else parse_methods(methods),
        inspect,
    )
