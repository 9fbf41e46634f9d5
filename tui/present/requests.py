"""What a task asked of the network, by host: what was refused on top, what went through below (SPEC N6, W6)."""

from __future__ import annotations

import time as clock
from collections.abc import Collection

from msgspec import Struct, field

from engine import sizes
from engine.tasks import events as ev
from engine.tasks.model import TaskState
from tui.present import words
from tui.present.actions import key_of
from tui.present.policy import policy_line
from tui.present.row import Row, Span, row, wrap
from tui.present.text import one_line

# So many different requests of one host are told apart; the others are only counted.
_DETAILS = 200
_ORDER = {"denied": 0, "failed": 1, "allowed": 2}
_MARK: dict[str, tuple[str, str]] = {"denied": ("✗", "bad"), "failed": ("!", "warn"), "allowed": ("✓", "ok")}
_SAID = {"denied": "refused", "failed": "failed", "allowed": ""}

Key = tuple[str, str, int]


class Kind(Struct, frozen=True):
    """Requests that differ in nothing but time: what was asked, by which command, and what was said to it."""

    method: str
    path: str
    phase: str
    command: str
    sure: bool
    rule: str
    reason: str


class Count(Struct):
    """How many there were, how many bytes went up and came down, and when the last one was (Unix seconds)."""

    number: int = 0
    up: int = 0
    down: int = 0
    last: float = 0.0

    def add(self, event: ev.NetworkRequest) -> None:
        """One more."""
        self.number += 1
        self.up += event.bytes_up
        self.down += event.bytes_down
        self.last = event.ts


class Host(Struct):
    """All requests to one host and port that were decided alike; `more` were not told apart any more."""

    decision: str
    host: str
    port: int
    total: Count = field(default_factory=Count)
    kinds: dict[Kind, Count] = field(default_factory=dict)
    more: int = 0

    @property
    def key(self) -> Key:
        """What it is found by."""
        return self.decision, self.host, self.port

    @property
    def place(self) -> str:
        """Host and port, as in an address; the port of HTTPS goes without saying."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port in (0, 443) else f"{name}:{self.port}"

    @property
    def wants_a_rule(self) -> bool:
        """Whether something was refused because no rule allows it, so that a new one would help."""
        return self.decision == "denied" and self.port > 0 and any(not kind.rule for kind in self.kinds)


class Traffic(Struct):
    """The requests of attempt `attempt`; `apply` takes its events in, and those of the setup that attempts share.

    `changed` says whether something was added since it was set to False.
    """

    attempt: int = 1
    hosts: dict[Key, Host] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)
    policy: ev.NetworkPolicy | None = None
    checks: tuple[str, ...] = ()
    changed: bool = True

    def apply(self, event: ev.AnyEvent) -> None:
        """Take one event in."""
        shared = isinstance(event, ev.NetworkRequest) and event.phase == "setup"
        if event.run != self.attempt and not shared:
            return
        match event:
            case ev.NetworkRequest():
                self._request(event)
            case ev.CommandStarted():
                self.commands[event.id] = event.command
            case ev.NetworkPolicy():
                self.policy, self.changed = event, True
            case ev.NetworkProven():
                self.checks, self.changed = tuple(event.checks), True
            case _:
                pass

    def _request(self, event: ev.NetworkRequest) -> None:
        key = (event.decision, event.host, event.port)
        host = self.hosts.setdefault(key, Host(*key))
        host.total.add(event)
        kind = Kind(event.method, event.path, event.phase, event.command, event.sure, event.rule, event.reason)
        if kind in host.kinds or len(host.kinds) < _DETAILS:
            host.kinds.setdefault(kind, Count()).add(event)
        else:
            host.more += 1
        self.changed = True

    def in_order(self) -> list[Host]:
        """What was refused, then what failed, then the rest; within these in the order of their first request."""
        return sorted(self.hosts.values(), key=lambda host: _ORDER.get(host.decision, 3))

    def count(self, decision: str) -> int:
        """How many requests were decided so."""
        return sum(host.total.number for host in self.hosts.values() if host.decision == decision)


class Line(Struct, frozen=True):
    """A row of the list and the host it belongs to; `first` for the row of the host itself."""

    row: Row
    host: Host
    first: bool = True


def lines(traffic: Traffic, unfolded: Collection[Key], needle: str, width: int) -> list[Line]:
    """The list: each host in a row, unfolded ones with their requests below."""
    found: list[Line] = []
    for host in traffic.in_order():
        kinds = [kind for kind in host.kinds if _has(host, kind, traffic, needle)]
        if not kinds:
            continue
        found.append(Line(_host_row(host, traffic, width), host))
        if host.key in unfolded:
            found += [Line(line, host, first=False) for line in _detail_rows(host, kinds, traffic, width)]
    return found


def _has(host: Host, kind: Kind, traffic: Traffic, needle: str) -> bool:
    texts = (host.place, host.decision, kind.method, kind.path, kind.reason, kind.rule, kind.phase,
             traffic.commands.get(kind.command, ""))  # fmt: skip
    return not needle or any(needle.casefold() in text.casefold() for text in texts)


def _host_row(host: Host, traffic: Traffic, width: int) -> Row:
    glyph, role = _MARK.get(host.decision, ("?", "muted"))
    methods = list(dict.fromkeys(kind.method for kind in host.kinds if kind.method))
    left: list[Span] = [
        (f" {glyph} ", role),
        (one_line(host.place, 200), "strong" if host.decision != "allowed" else ""),
    ]
    if said := _SAID.get(host.decision, host.decision):
        left.append((f" {said}", role))
    if host.total.number > 1:
        left.append((f" ×{host.total.number:,}", role if host.decision == "denied" else "muted"))
    left.append((f"  {one_line(' '.join(methods[:4]), 40)}", "muted"))
    if host.decision == "allowed":
        kind = next(iter(host.kinds))
        left.append((f"  {one_line(kind.rule, 60)}", "muted"))
        return Row(tuple(left), ((f"{_bytes(host.total)} ", "muted"),))
    command = next((kind.command for kind in reversed(host.kinds) if kind.command), "")
    text = traffic.commands.get(command, "")
    right: tuple[Span, ...] = ((f"{one_line(text, max(8, min(40, width // 3)))} ", "muted"),) if text else ()
    return Row(tuple(left), right)


def _detail_rows(host: Host, kinds: list[Kind], traffic: Traffic, width: int) -> list[Row]:
    made: list[Row] = []
    for kind in kinds:
        count = host.kinds[kind]
        at = clock.strftime("%H:%M:%S", clock.localtime(count.last))
        times = f" ×{count.number:,}" if count.number > 1 else ""
        what = one_line(f"{kind.method or '?'} {kind.path}".strip(), 300)
        right: tuple[Span, ...] = ((f"{_bytes(count)} ", "muted"),) if host.decision != "denied" else ()
        made.append(row((f"   {at} ", "faint"), (what, ""), (times, "muted"), right=right))
        why = kind.reason or (f"rule {kind.rule}" if kind.rule else "")
        made += [
            row(("            ", ""), (part, "muted")) for part in (wrap(one_line(why, 400), width - 14) if why else ())
        ]
        made.append(row(("            ", ""), (_cause(kind, traffic), "muted")))
    if host.more:
        made.append(row((f"   and {words.count(host.more, 'more request')}, not told apart", "muted")))
    return made


def _cause(kind: Kind, traffic: Traffic) -> str:
    text = traffic.commands.get(kind.command, "")
    if not text:
        return f"in {kind.phase}, while no command ran"
    return f"in {kind.phase}, {'by' if kind.sure else 'probably by'}: {one_line(text, 300)}"


def _bytes(count: Count) -> str:
    return f"↑ {sizes.words(count.up)}  ↓ {sizes.words(count.down)}"


def summary(traffic: Traffic) -> tuple[Span, ...]:
    """How many requests were refused, failed and went through; empty when there was none."""
    parts: list[Span] = []
    for decision, word in (("denied", "denied"), ("failed", "failed"), ("allowed", "allowed")):
        number = traffic.count(decision)
        if number:
            glyph, role = _MARK[decision]
            parts += [(" · ", "faint")] if parts else []
            parts.append((f"{glyph} {number:,} {word}", role if decision != "allowed" else "muted"))
    return tuple(parts)


def policy_row(state: TaskState, traffic: Traffic) -> Row:
    """What the agent of the task may reach, and whether that was proven."""
    said = policy_line(traffic.policy) if traffic.policy else state.network_mode
    proven: dict[bool | None, Span] = {
        True: (" ✓ proven", "ok"),
        False: (" ✗ not as it should be", "bad"),
        None: ("", ""),
    }
    return row((f" agent: {one_line(said, 300)}" if said else "", "muted"), proven[state.network_proven])


def empty_rows(state: TaskState | None, traffic: Traffic | None, needle: str, width: int) -> list[Row]:
    """What to say while the list is empty: why, and what would change it."""
    if state is None:
        return [row(""), row("  What a task asks of the network is shown here.")]
    if needle:
        return [row(""), row("  No request contains this. ", (key_of("back"), "key"), (" shows all", "muted"))]
    texts = ["Nothing was asked of the network."]
    if state.network_mode == "off":
        texts = [
            "Nothing was asked of the network, and the agent cannot ask.",
            "It is off for the agent: its container has no way out, only its own loopback. So neither code nor"
            " anything the agent reads can leave, and nothing it was not given can come in.",
            "Setup and maintenance reach the public internet through the gateway; what they ask for is listed here.",
            f"To let the next task's agent out: {key_of('pane_2')}, then {key_of('settings')}, page Network;"
            ' or in the file, [network] agent = "limited"'
            " with the hosts it needs in allow.",
        ]
    elif state.network_mode == "limited":
        texts += [
            "What the agent asks for beyond its list is refused and shown here on top;"
            f" {key_of('allow_task')} or {key_of('allow_environment')} allows it."
        ]
    made = [row("")]
    for number, text in enumerate(texts):
        made += [row("  ", (part, "" if number == 0 else "muted")) for part in wrap(text, max(20, width - 4))]
        made.append(row(""))
    if traffic is not None and traffic.checks and state.network_mode == "off":
        made.append(row("  Proven before the agent began:"))
        made += [row("  ", (one_line(check, 200), "muted")) for check in traffic.checks]
    return made
