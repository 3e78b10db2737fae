"""What one gateway does: ``gateway.yaml`` as it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from flowyard.wire import Place

__all__ = [
    "Backend",
    "BreakerSettings",
    "ControlSettings",
    "GatewaySettings",
    "HealthSettings",
    "Limits",
    "MirrorSettings",
    "OverrideSettings",
    "StickySettings",
]


@dataclass(frozen=True, slots=True)
class Backend:
    """A deployment behind the gateway, known by its URL: ``place`` to connect to, ``prefix`` before each path.

    ``weight`` is what the file says; what holds is in the last epoch. ``key`` is sent instead of the caller's.
    """

    name: str
    url: str
    place: Place
    prefix: str
    weight: float
    version: str = ""
    key: str | None = field(default=None, repr=False)

    @property
    def authority(self) -> str:
        """What its header Host says."""
        host, port, is_tls = self.place
        shown = f"[{host}]" if ":" in host else host
        return shown if port == (443 if is_tls else 80) else f"{shown}:{port}"


@dataclass(frozen=True, slots=True)
class StickySettings:
    """Where the unit of a request stands; the first that is there counts. ``session`` is a cookie that we set."""

    header: str | None = None
    cookie: str | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True)
class OverrideSettings:
    """Testers name an arm in ``header``: who sends ``key`` in ``<header>-key``, and the units of ``allow``."""

    header: str
    key: str | None = field(default=None, repr=False)
    allow: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class MirrorSettings:
    """Which backend gets copies of ``percent`` of the others' requests: ``at_once`` under way, ``waiting`` in a queue.

    What is more than that, or than ``budget_per_hour``, is dropped.
    """

    to: str
    percent: float = 100.0
    at_once: int = 4
    waiting: int = 64
    budget_per_hour: int = 1000
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """``GET path`` of each backend every ``every_s`` seconds; ``failures`` in a row take it out, one success back."""

    path: str = "/health"
    every_s: float = 5.0
    timeout_s: float = 2.0
    failures: int = 3


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """After ``failures`` in a row a backend gets nothing for ``open_s`` seconds, and then one request as a probe."""

    failures: int = 5
    open_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Limits:
    """``at_once`` requests are under way at most. An answer begins within ``answer_s`` seconds.

    ``grace_s`` is the time that requests under way have to end when the gateway is stopped.
    """

    body_bytes: int = 32 * 1024 * 1024
    at_once: int = 2048
    connect_s: float = 5.0
    answer_s: float = 300.0
    grace_s: float = 25.0


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """Where the control plane listens, and its key."""

    host: str
    port: int
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """``key`` is what callers have to show, None when their own goes through to the backends.

    ``salt`` None is a random one that is kept in the state folder. ``state`` None is a folder in the home.
    What peers in ``trusted_proxies`` say of where a request came from is believed.
    """

    name: str
    experiment: str
    host: str
    port: int
    backends: Mapping[str, Backend]
    salt: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    sticky: StickySettings = StickySettings()
    override: OverrideSettings | None = None
    mirror: MirrorSettings | None = None
    health: HealthSettings | None = None
    breaker: BreakerSettings = BreakerSettings()
    retries: int = 1
    limits: Limits = Limits()
    exposures: Path | None = None
    state: Path | None = None
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    control: ControlSettings | None = None
