"""The endpoints of this machine on disk: ``<home>/deployments/<target>/<endpoint>/``.

``endpoint.json`` has the port and the shares and is replaced whole, so that the shares change at one instant.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard._util.files import dump_json, write_atomic
from flowyard._util.suggest import did_you_mean
from flowyard.deploy.names import require_deployment_name
from flowyard.errors import Conflict, NotFound, StoreError, UserError

__all__ = ["EndpointFolder"]

_FILE = "endpoint.json"


@dataclass(frozen=True, slots=True)
class EndpointFolder:
    """One endpoint. Only a process that changes the endpoint writes; any process may read at any time."""

    path: Path

    @property
    def exists(self) -> bool:
        return (self.path / _FILE).is_file()

    def create(self, port: int) -> None:
        """Make it, at this port; one that is there stays as it is."""
        (self.path / "deployments").mkdir(parents=True, exist_ok=True)
        if not self.exists:
            self._write({"port": port, "shares": {}})

    @property
    def port(self) -> int:
        return int(self._read()["port"])

    @property
    def shares(self) -> dict[str, int]:
        """Percent by deployment; those that are not named get none."""
        return dict(self._read()["shares"]) if self.exists else {}

    def set_shares(self, shares: Mapping[str, int]) -> None:
        """Change all shares at one instant. Raises UserError, and NotFound for a deployment that is not there."""
        given = {name: share for name, share in shares.items() if share}
        if sum(given.values()) not in (0, 100) or min(given.values(), default=0) < 0:
            raise UserError(f"Shares add up to 100, or there are none: {given}.")
        for name in given:
            self.require(name)
        self._write({**self._read(), "shares": given})

    def names(self) -> list[str]:
        """The deployments, oldest first."""
        found = self.path.glob("deployments/*/deployment.json")
        return [each.parent.name for each in sorted(found, key=lambda each: (each.stat().st_mtime_ns, str(each)))]

    def deployment(self, name: str) -> Path:
        """The folder of a deployment, which need not exist. Raises NotFound for a name that leads elsewhere."""
        require_deployment_name(name)
        return self.path / "deployments" / name

    def facts(self, name: str) -> dict[str, Any]:
        """What was written down of a deployment when it was made. Raises NotFound."""
        self.require(name)
        facts: dict[str, Any] = json.loads((self.deployment(name) / "deployment.json").read_text("utf-8"))
        return facts

    def add(self, name: str, prepared: Path, facts: Mapping[str, Any]) -> None:
        """Make a deployment of a folder that was prepared; it is there whole or not at all."""
        write_atomic(prepared / "deployment.json", dump_json(facts, indent=2))
        prepared.rename(self.deployment(name))

    def address(self, name: str) -> str | None:
        """Where a deployment answers; None while it does not."""
        try:
            return (self.deployment(name) / "address").read_text("utf-8").strip() or None
        except OSError:
            return None

    def require(self, name: str) -> None:
        """Raises NotFound when there is no such deployment."""
        if not (self.deployment(name) / "deployment.json").is_file():
            hint = did_you_mean(name, self.names()) or "See: flowyard deploy status USECASE --env E"
            raise NotFound(f"{self.path.name} has no deployment {name!r}.", hint=hint)

    def require_no_requests(self, name: str) -> None:
        """Raises Conflict when a deployment still gets requests."""
        if self.shares.get(name):
            raise Conflict(
                f"{name} gets {self.shares[name]} % of the requests.", hint="Give them to another one first."
            )

    def forget(self, name: str) -> None:
        """Take away the files of a deployment; first what makes it one. Of a link only the link."""
        if self.deployment(name).is_symlink():
            self.deployment(name).unlink()
            return
        (self.deployment(name) / "deployment.json").unlink(missing_ok=True)
        shutil.rmtree(self.deployment(name), ignore_errors=True)

    def forget_all(self) -> None:
        """Take away the whole endpoint."""
        (self.path / _FILE).unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)

    def _read(self) -> dict[str, Any]:
        file = self.path / _FILE
        try:
            body: dict[str, Any] = json.loads(file.read_text("utf-8"))
        except FileNotFoundError:
            raise NotFound(f"There is no endpoint {self.path.name!r}.") from None
        except ValueError as error:
            raise StoreError(f"{file} is damaged: {error}") from None
        return body

    def _write(self, body: Mapping[str, Any]) -> None:
        write_atomic(self.path / _FILE, dump_json(body))
