"""The split of a gateway, through its control address."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from flowyard._util.printable import printable_text
from flowyard.ab.evidence.model import Split
from flowyard.abc import Splitter
from flowyard.errors import OutsideError, UserError

__all__ = ["GatewaySplit"]

_TIMEOUT_S = 10.0
_MOST_SAID = 300
_MOST_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class GatewaySplit(Splitter):
    """``GET /v1/gateway/epochs`` and ``PUT /v1/gateway/weights``. Follows no redirect: it would take the key along.

    ``arms`` are those of the test: backends by their names, or by the versions that ``gateway.yaml`` says of them.
    """

    url: str
    key: str = field(repr=False)
    arms: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"the gateway at {self.url}"

    def weights(self) -> Mapping[str, float]:
        splits = self.splits()
        return splits[-1].weights if splits else {}

    def splits(self) -> Sequence[Split]:
        named = {backend: arm for arm, backend in self._backends().items()}
        found = self._ask("GET", "/v1/gateway/epochs")
        try:
            listed = found["epochs"] if isinstance(found, dict) else found
            return [_split(each, named) for each in listed]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise OutsideError(f"What {self.label} says of its epochs is not understood.") from None

    def set_weights(self, weights: Mapping[str, float], reason: str) -> None:
        backends = self._backends()
        by_name = {backends.get(arm, arm): weight for arm, weight in weights.items()}
        self._ask("PUT", "/v1/gateway/weights", {"weights": by_name, "reason": reason})

    def _backends(self) -> Mapping[str, str]:
        """The backend of each arm. Raises UserError for an arm that is none or several, and for two that are one."""
        found = self._ask("GET", "/v1/gateway")
        try:
            versions = {str(name): str(each["version"]) for name, each in found["backends"].items()}
        except (KeyError, TypeError, AttributeError):
            raise OutsideError(f"What {self.label} says of its backends is not understood.") from None
        backends = {arm: _backend(arm, versions, self.label) for arm in self.arms}
        if len(set(backends.values())) < len(backends):
            raise UserError(f"The arms {' and '.join(self.arms)} are the same backend of {self.label}.", hint=_ARMS)
        return backends

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        parts = urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            content = answer.read(_MOST_BYTES)
        except (OSError, ValueError, http.client.HTTPException):  # its text may repeat what was sent
            raise OutsideError(f"{self.label[0].upper()}{self.label[1:]} does not answer.", hint=_AWAY) from None
        finally:
            connection.close()
        if answer.status in (401, 403):
            raise OutsideError(
                f"{self.label} does not take this key.",
                hint="split.key in ab.yaml is that of 'control' in gateway.yaml.",
            )
        if answer.status != 200:
            raise self._refused(answer.status, content, f"{method} {path}")
        try:
            return json.loads(content)
        except ValueError:
            raise OutsideError(f"{self.label} answered with what is no JSON.", hint=_CONTROL) from None

    def _refused(self, status: int, content: bytes, asked: str) -> OutsideError:
        """What the gateway says against it, such as a backend that it does not have; others than it say nothing."""
        try:
            why = printable_text(str(json.loads(content)["error"]["message"]))[:_MOST_SAID]
        except (ValueError, KeyError, TypeError, RecursionError):
            return OutsideError(f"{self.label} answered with {status} to {asked}.", hint=_CONTROL)
        return OutsideError(f"{self.label} says no ({status}): {why}", hint=_ARMS if status == 404 else None)


_KEY = "split.key in ab.yaml is that of 'control' in gateway.yaml."
_AWAY = (
    "Start it: flowyard gateway serve --config gateway.yaml\n"
    "It listens where 'control' in that file says, which is split.gateway in ab.yaml."
)
_CONTROL = "split.gateway in ab.yaml is the address 'control' listens at, not that of the requests."


_ARMS = "arms in ab.yaml names two backends of gateway.yaml, or their versions: flowyard gateway status"


def _backend(arm: str, versions: Mapping[str, str], label: str) -> str:
    if arm in versions:
        return arm
    serving = [name for name, version in versions.items() if version == arm]
    if len(serving) == 1:
        return serving[0]
    if serving:
        raise UserError(f"{', '.join(serving)} of {label} serve version {arm}: which one is meant?", hint=_ARMS)
    raise UserError(f"No backend of {label} is called {arm} or serves that version.", hint=_ARMS)


def _split(given: Mapping[str, Any], named: Mapping[str, str]) -> Split:
    """``named`` has the arms of backends that the test calls otherwise."""
    at = datetime.fromisoformat(given["at"])
    weights = {named.get(str(arm), str(arm)): float(weight) for arm, weight in given["weights"].items()}
    return Split(int(given["epoch"]), at if at.tzinfo else at.replace(tzinfo=UTC), weights)
