"""A gateway: its parts, put together from the settings, and ended without losing a request."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from pathlib import Path
from typing import IO, Any

from flowyard._util.files import write_atomic
from flowyard._util.lock import try_lock
from flowyard.errors import Conflict, UserError
from flowyard.gateway.arm import Arm
from flowyard.gateway.breaker import Breaker
from flowyard.gateway.control import ControlPlane
from flowyard.gateway.data_plane import DataPlane
from flowyard.gateway.epochs import Epoch, EpochFile
from flowyard.gateway.exposures import Exposures
from flowyard.gateway.health import HealthChecks
from flowyard.gateway.metrics import metrics_text
from flowyard.gateway.mirror import Mirror
from flowyard.gateway.outgoing import Outgoing
from flowyard.gateway.settings import GatewaySettings, MirrorSettings
from flowyard.gateway.short_way import ShortWay
from flowyard.gateway.split import UnitHash
from flowyard.gateway.weights import Weights, first_epoch
from flowyard.production.records.folder import RecordFolder
from flowyard.wire import WireClient, WireLimits, WireServer, refused

__all__ = ["CONTROL_ADDRESS", "Gateway"]

CONTROL_ADDRESS = "control.address"
"""The file in the state folder that has the control plane's URL while it answers."""


class Gateway:
    """Make it in the event loop's process, once for a state folder; close it in the end, also when listening failed."""

    def __init__(self, settings: GatewaySettings, state: Path) -> None:
        self.settings = settings
        self._state = state
        self._held = _hold(state)
        self._clients: list[WireClient] = []
        self.arms = {name: Arm(each, Breaker(settings.breaker)) for name, each in settings.backends.items()}
        file = EpochFile(state / "epochs.jsonl")
        try:
            hashes = UnitHash(settings.salt or _kept_salt(state), settings.experiment)
            epoch = first_epoch(file, {name: each.weight for name, each in settings.backends.items()})
        except OSError as error:
            raise _unusable(state, error) from None
        sink = RecordFolder(settings.exposures) if settings.exposures is not None else None
        self._exposures = Exposures(sink, settings.experiment, hashes)
        self._client = WireClient(connect_s=settings.limits.connect_s, answer_s=settings.limits.answer_s)
        self._mirror = self._made_mirror(settings.mirror) if settings.mirror is not None else None
        self._health = (
            HealthChecks(settings.health, self.arms.values(), WireClient(connect_s=settings.health.timeout_s))
            if settings.health is not None
            else None
        )
        outgoing = Outgoing(settings)
        self.data = DataPlane(settings, self.arms, epoch, hashes, self._exposures, self._mirror, self._client, outgoing)
        short = ShortWay(settings, self.data, self._client, outgoing, self._mirror)
        self.server = WireServer(
            self.data.handle,
            refused,
            WireLimits(body_bytes=settings.limits.body_bytes),
            before_body=self.data.before_body,
            begin=short.begin,
        )
        self._weights = Weights(epoch, file, self.arms, self._begin_epoch)
        self._begin_epoch(epoch)
        self.control: ControlPlane | None = None
        if settings.control is not None:
            self.control = ControlPlane(settings.control.key, self._weights, self.state, self._metrics)

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Begin; gives the address of the data plane. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._exposures.later = loop.call_later
        if self._health is not None:
            self._health.begin()
        if self.control is not None and self.settings.control is not None:
            where = await self.control.listen(self.settings.control.host, self.settings.control.port)
            write_atomic(self._state / CONTROL_ADDRESS, _url(*where))
        return await self.server.listen(host, port)

    async def close(self) -> None:
        """End what is under way within the grace time, then everything else."""
        try:
            await self.server.drain(self.settings.limits.grace_s)
        finally:
            with contextlib.suppress(OSError):
                (self._state / CONTROL_ADDRESS).unlink(missing_ok=True)
            for part in (self.control, self._health, self._mirror, self._client):
                if part is not None:
                    await part.close()
            self._exposures.later = None
            self._exposures.close()
            self._held.close()

    def state(self) -> dict[str, Any]:
        """What people and programs get to see: no key, and of a backend's URL all."""
        now, epoch, mirror = time.monotonic(), self._weights.epoch, self._mirror
        return {
            "name": self.settings.name,
            "experiment": self.settings.experiment,
            **epoch.view(),
            "backends": {name: _arm_view(arm, epoch, now) for name, arm in self.arms.items()},
            "under_way": self.data.under_way,
            "mirror": mirror
            and {"to": mirror.arm.name, "sent": mirror.sent, "failed": mirror.failed, "dropped": mirror.dropped}
            | {"waiting": mirror.waiting, "held_bytes": mirror.held_bytes},
            "exposures": {"on": self._exposures.is_on, "dropped": self._exposures.dropped},
        }

    def _begin_epoch(self, epoch: Epoch) -> None:
        self.data.epoch = epoch
        for name, arm in self.arms.items():
            arm.is_drained = name in epoch.drained

    def _metrics(self) -> str:
        now = time.monotonic()
        return metrics_text(self.arms.values(), self._weights.epoch, self._mirror, self._exposures.dropped, now)

    def _made_mirror(self, settings: MirrorSettings) -> Mirror:
        client = WireClient(connect_s=self.settings.limits.connect_s)

        def ended(asked: Any, arm: Arm, status: int) -> None:
            latency_s = time.monotonic() - asked.began
            self._exposures.ended(asked, arm.name, arm.backend.version, status, latency_s)

        return Mirror(settings, self.arms[settings.to], Outgoing(self.settings), client, ended)


def _arm_view(arm: Arm, epoch: Epoch, now: float) -> dict[str, Any]:
    return {
        "url": arm.backend.url,
        "version": arm.backend.version,
        "weight": epoch.weights.get(arm.name, 0.0),
        "healthy": arm.is_healthy,
        "breaker": arm.breaker.state(now),
        "drained": arm.is_drained,
        "under_way": arm.under_way,
        "requests": arm.statuses.total(),
        "errors": sum(count for status, count in arm.statuses.items() if status >= 500),
        "last_failure": arm.last_failure,
    }


def _hold(state: Path) -> IO[bytes]:
    """The lock of the state folder; a killed process leaves none. Raises Conflict and UserError."""
    try:
        state.mkdir(parents=True, exist_ok=True)
        file = (state / "gateway.lock").open("a+b")
    except OSError as error:
        raise _unusable(state, error) from None
    if not try_lock(file):
        file.close()
        raise Conflict(f"Another gateway uses {state}.", hint="Stop it, or give this one a state folder of its own.")
    return file


def _unusable(state: Path, error: OSError) -> UserError:
    return UserError(f"The state folder {state} cannot be used: {error.strerror}.")


def _kept_salt(state: Path) -> str:
    file = state / "salt"
    with contextlib.suppress(FileNotFoundError):
        return file.read_text("ascii").strip()
    salt = secrets.token_hex(32)
    write_atomic(file, salt, mode=0o600)
    return salt


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
