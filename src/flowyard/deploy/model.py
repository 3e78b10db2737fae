"""What is deployed, what is to be deployed, and what has to change for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = [
    "PUBLIC_VARIABLES",
    "Address",
    "Change",
    "DeployPlan",
    "Deployment",
    "DeploymentState",
    "EndpointState",
    "Image",
    "Traffic",
    "WantedDeployment",
]

PUBLIC_VARIABLES = ("FLOWYARD_SERVE_FLOW", "FLOWYARD_SERVE_VERSION")
"""Variables of a deployment that say what it is, which files for people have with their values."""

DeploymentState = Literal["creating", "ready", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class Image:
    """A built image. ``reference`` is what an engine finds it by, ``digest`` its own, with ``sha256:`` before it.

    ``version_label`` is the flow version in it, ``name:version``.
    """

    reference: str
    digest: str
    version_label: str


@dataclass(frozen=True, slots=True)
class Address:
    """Where something answers: the URL without the path of a route, and headers that each request has to have.

    ``headers`` may hold a key, and are never printed or stored. ``allowed_hosts`` is None for an address that a target
    made; one that was given is only asked where it is public, or its host is among them.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    allowed_hosts: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class WantedDeployment:
    """One deployment as it has to be. ``name`` follows from all the rest, so that the same is never made twice.

    ``digest`` is the flow version's. ``folder`` has the version's files, and ``definition`` is the flow's file in it;
    targets that run images use ``image`` instead. ``variables`` may hold secrets; their names may be shown, their
    values are never stored by us. ``port`` is the endpoint's, where a target has one; ``cpu`` counts cores and
    ``memory_mb`` megabytes. ``options`` are what only this kind of target knows.
    """

    endpoint: str
    name: str
    version_label: str
    digest: str
    image: Image | None = None
    folder: Path | None = None
    definition: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    connections: tuple[str, ...] = ()
    instances: int = 1
    cpu: float | None = None
    memory_mb: int | None = None
    port: int | None = None
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment as it is. ``traffic`` is its share of the endpoint's requests in percent.

    ``address`` is the URL at which people reach it alone, None when there is none. ``why`` says what is wrong.
    """

    name: str
    version_label: str
    digest: str
    traffic: int
    state: DeploymentState
    address: str | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class EndpointState:
    """An endpoint with its deployments, oldest first; one that is not there has none and no address."""

    endpoint: str
    deployments: tuple[Deployment, ...] = ()
    address: str | None = None

    @property
    def shares(self) -> dict[str, int]:
        """Percent of the requests by deployment, without those that get none; the sum is 0 or 100."""
        return {each.name: each.traffic for each in self.deployments if each.traffic}

    def find(self, name: str) -> Deployment | None:
        """The deployment of that name."""
        return next((each for each in self.deployments if each.name == name), None)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Who gets the requests of an endpoint: ``shares`` in percent by deployment, without those that get none, and
    ``mirror``, the percent of the requests that a deployment gets copies of, whose answers nobody sees.
    """

    shares: Mapping[str, int] = field(default_factory=dict)
    mirror: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, shares: Mapping[str, int], mirror: Mapping[str, int]) -> Traffic:
        """Without deployments that get nothing."""
        return cls(
            {name: share for name, share in shares.items() if share},
            {name: share for name, share in mirror.items() if share},
        )

    def __str__(self) -> str:
        shown = ", ".join(f"{name} {share} %" for name, share in sorted(self.shares.items()))
        copies = ", ".join(f"copies of {share} % to {name}" for name, share in sorted(self.mirror.items()))
        return ", ".join(filter(None, (shown or "nobody gets requests", copies)))


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that would change; ``before`` or ``after`` is None for what is made or taken away. Holds no secret."""

    what: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class DeployPlan:
    """All that a deployment would change, in order; no changes when everything is as it has to be."""

    environment: str
    target: str
    endpoint: str
    version_label: str
    changes: tuple[Change, ...]
    warnings: tuple[str, ...] = ()
