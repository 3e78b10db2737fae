"""The files of a new test of two versions that serve: a gateway before them, and the rules of the test."""

from __future__ import annotations

import json
from dataclasses import dataclass

from flowyard.ab.policy.file import AB_FILE

__all__ = ["GATEWAY_FILE", "KEY_VARIABLE", "NewArm", "new_test_files"]

GATEWAY_FILE = "gateway.yaml"
KEY_VARIABLE = "GATEWAY_KEY"
"""Where both files look for the key of the gateway's control plane."""


@dataclass(frozen=True, slots=True)
class NewArm:
    """A backend under its name, with its address and the version that serves there (``NAME:VERSION``)."""

    name: str
    url: str
    version: str


def new_test_files(
    name: str, control: NewArm, treatment: NewArm, ports: tuple[int, int], exposures: str
) -> dict[str, bytes]:
    """``gateway.yaml`` and ``ab.yaml`` of the test ``name`` by file name.

    ``ports`` of 127.0.0.1 are those of the gateway and of its control plane; ``exposures`` is a folder, seen from the
    file.
    """
    gateway = _GATEWAY.format(
        name=_text(name),
        port=ports[0],
        control_port=ports[1],
        backends="".join(map(_backend, (control, treatment), (100, 0))),
        exposures=_text(exposures),
        key=KEY_VARIABLE,
    )
    rules = _RULES.format(
        name=_text(name),
        control=_text(control.name),
        treatment=_text(treatment.name),
        control_port=ports[1],
        key=KEY_VARIABLE,
    )
    return {GATEWAY_FILE: gateway.encode(), AB_FILE: rules.encode()}


def _backend(arm: NewArm, weight: int) -> str:
    facts = f"url: {_text(arm.url)}, weight: {weight}, version: {_text(arm.version)}"
    return f"  {_text(arm.name)}: {{{facts}}}\n"


def _text(value: str) -> str:
    """A scalar that YAML reads back as it is: JSON's strings are YAML's."""
    return json.dumps(value)


_GATEWAY = """\
# One address before two versions: each user gets the same one each time.
name: {name}
listen: 127.0.0.1:{port}
backends:
{backends}sticky: {{header: x-user-id}} # the app names the user here; without it each request is split by itself
exposures: {exposures}
control: {{listen: "127.0.0.1:{control_port}", key: "${{{key}}}"}}
"""

_RULES = """\
# Which of the two is better, by what users say: what has to be shown, what must not get worse, and how fast it goes.
name: {name}
arms: {{control: {control}, treatment: {treatment}}}
unit: user
primary: {{metric: feedback, expected: 0.6, smallest: 0.1}} # thumbs up; the difference worth finding
guardrails:
  - {{metric: error_rate, most: 0.05, most_times_control: 1.5}}
  - {{metric: latency_p95_ms, most_times_control: 1.5}}
min_duration: 1d
min_sample: 100
ramp: [10, 25, 50]
decide: approval
split: {{gateway: "http://127.0.0.1:{control_port}", key: "${{{key}}}"}}
"""
