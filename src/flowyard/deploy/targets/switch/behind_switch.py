"""What targets of this machine have in common: deployments behind a switch, in a folder of their own."""

from __future__ import annotations

import shutil
import socket
import tempfile
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flowyard.abc import Target
from flowyard.deploy.model import Address, Change, Deployment, DeploymentState, EndpointState, WantedDeployment
from flowyard.deploy.names import require_path_part
from flowyard.deploy.targets.switch.endpoint_folder import EndpointFolder
from flowyard.deploy.targets.switch.process import switch_process
from flowyard.deploy.targets.switch.ready import answers, wait_until
from flowyard.deploy.targets.switch.under_way import none_under_way
from flowyard.errors import Conflict, NotFound, OutsideError

__all__ = ["BehindSwitch", "free_port", "free_ports"]

_READY_S = 120.0
_SWITCH_READY_S = 60.0
_FINISH_S = 60.0
_SWITCH = "flowyard.deploy.targets.switch.process"


class BehindSwitch(Target):
    """Deployments that answer on ports of 127.0.0.1, and one switch for each endpoint that requests go through."""

    def __init__(self, home: Path, environ: Mapping[str, str]) -> None:
        self._home = home
        self.environ = dict(environ)

    @abstractmethod
    def prepare(self, wanted: WantedDeployment, folder: Path) -> Mapping[str, Any]:
        """Put what the deployment needs into an empty folder; returns what is to be written down with it."""

    @abstractmethod
    def begin(self, wanted: WantedDeployment, folder: Path) -> None:
        """Start the prepared deployment, unless it runs; its address is in the file ``address`` once it is known."""

    @abstractmethod
    def end(self, endpoint: str, name: str, folder: Path) -> None:
        """Stop a deployment in order; one that does not run is no error."""

    @abstractmethod
    def look(self, endpoint: str, name: str, folder: Path) -> tuple[DeploymentState, str]:
        """The state of a deployment as far as it can be told without asking it, and why it is so."""

    @abstractmethod
    def log_lines(self, endpoint: str, name: str, folder: Path, count: int) -> Sequence[str]:
        """The last lines that a deployment wrote."""

    def plan(self, wanted: WantedDeployment) -> Sequence[Change]:
        """See Target."""
        place, changes = self.place(wanted.endpoint), []
        if not place.exists:
            changes.append(Change(f"endpoint {wanted.endpoint}", None, self._where(wanted)))
        found = self.status(wanted.endpoint).find(wanted.name)
        if found is None or found.state != "ready":
            before = f"{found.version_label}, {found.state}" if found else None
            changes.append(Change(f"deployment {wanted.name}", before, wanted.version_label))
        return changes

    def apply(self, wanted: WantedDeployment) -> Deployment:
        """See Target."""
        place = self.place(wanted.endpoint)
        self._ensure_endpoint(place, wanted)
        found = self._seen(place, wanted.name) if wanted.name in place.names() else None
        if found is not None and found.state in ("failed", "stopped"):
            self.end(wanted.endpoint, wanted.name, place.deployment(wanted.name))
            if not found.traffic:
                place.forget(wanted.name)
        if wanted.name not in place.names():
            self._add(place, wanted)
        folder = place.deployment(wanted.name)
        self.begin(wanted, folder)
        if not wait_until(lambda: self._is_up(place, wanted), _READY_S):
            raise self._not_ready(wanted, folder, f"It did not answer within {_READY_S:g} s.")
        return self._seen(place, wanted.name)

    def status(self, endpoint: str) -> EndpointState:
        """See Target."""
        place = self.place(endpoint)
        if not place.exists:
            return EndpointState(endpoint)
        address = f"http://127.0.0.1:{place.port}" if switch_process(place.path).is_running() else None
        return EndpointState(endpoint, tuple(self._seen(place, name) for name in place.names()), address)

    @contextmanager
    def reach(self, endpoint: str, deployment: str | None = None) -> Iterator[Address]:
        """See Target."""
        place = self.place(endpoint)
        if deployment is not None:
            place.require(deployment)
        address = self.status(endpoint).address if deployment is None else place.address(deployment)
        if address is None:
            what = f"The deployment {deployment}" if deployment else f"The endpoint {endpoint}"
            raise NotFound(f"{what} does not answer.", hint="flowyard deploy apply USECASE --env E starts it again")
        yield Address(address, self.headers(endpoint))

    def set_shares(self, endpoint: str, shares: Mapping[str, int]) -> None:
        """See Target."""
        self.place(endpoint).set_shares(shares)

    def logs(self, endpoint: str, deployment: str, lines: int = 100) -> Sequence[str]:
        """See Target."""
        place = self.place(endpoint)
        place.require(deployment)
        return self.log_lines(endpoint, deployment, place.deployment(deployment), lines)

    def remove(self, endpoint: str, deployment: str | None = None) -> None:
        """See Target."""
        place = self.place(endpoint)
        if deployment is not None:
            place.require_no_requests(deployment)
            if place.deployment(deployment).is_symlink():  # none of ours: nothing behind it is touched
                place.forget(deployment)
                return
            with none_under_way(place.deployment(deployment), _FINISH_S):
                self.end(endpoint, deployment, place.deployment(deployment))
            place.forget(deployment)
            return
        switch_process(place.path).stop()
        for folder in sorted(place.path.glob("deployments/*")):
            self.end(endpoint, folder.name, folder)
        place.forget_all()

    def place(self, endpoint: str) -> EndpointFolder:
        """Where the endpoint is kept. Raises UserError for a name that leads elsewhere."""
        require_path_part("An endpoint", endpoint)
        return EndpointFolder(self._home / "deployments" / self.label / endpoint)

    def headers(self, endpoint: str) -> dict[str, str]:
        """What requests to that endpoint need."""
        del endpoint
        key = self.environ.get("FLOWYARD_SERVE_KEY")
        return {"Authorization": f"Bearer {key}"} if key else {}

    def _where(self, wanted: WantedDeployment) -> str:
        return f"http://127.0.0.1:{wanted.port}" if wanted.port else "a free port of 127.0.0.1"

    def _ensure_endpoint(self, place: EndpointFolder, wanted: WantedDeployment) -> None:
        place.create(wanted.port or free_port())
        if wanted.port and wanted.port != place.port:
            raise Conflict(
                f"The endpoint {wanted.endpoint} is at port {place.port}, not {wanted.port}.",
                hint="Its address stays as long as it is there. Remove it first, or change 'port' back.",
            )
        switch = switch_process(place.path)
        switch.start(_SWITCH, [str(place.path)], self._plain_environment())
        address = f"http://127.0.0.1:{place.port}"
        if not wait_until(lambda: not switch.is_running() or _listens(place.port), _SWITCH_READY_S) or (
            not switch.is_running()
        ):
            said = "\n".join(switch.last_lines(5))
            raise OutsideError(f"The switch does not listen on {address}:\n{said}", hint="Choose another 'port'.")

    def _add(self, place: EndpointFolder, wanted: WantedDeployment) -> None:
        prepared = Path(tempfile.mkdtemp(prefix=".making-", dir=place.path))
        try:
            facts = self.prepare(wanted, prepared)
            made = {"version_label": wanted.version_label, "digest": wanted.digest, "made_at": _now(), **facts}
            shutil.rmtree(place.deployment(wanted.name), ignore_errors=True)
            place.add(wanted.name, prepared, made)
        finally:
            shutil.rmtree(prepared, ignore_errors=True)

    def _is_up(self, place: EndpointFolder, wanted: WantedDeployment) -> bool:
        address = place.address(wanted.name)
        if address and answers(address):
            return True
        state, why = self.look(wanted.endpoint, wanted.name, place.deployment(wanted.name))
        if state in ("failed", "stopped"):
            raise self._not_ready(wanted, place.deployment(wanted.name), why)
        return False

    def _not_ready(self, wanted: WantedDeployment, folder: Path, why: str) -> OutsideError:
        said = "\n".join(self.log_lines(wanted.endpoint, wanted.name, folder, 8))
        return OutsideError(f"The deployment {wanted.name} of {wanted.version_label} is not ready: {why}\n{said}")

    def _seen(self, place: EndpointFolder, name: str) -> Deployment:
        facts, address = place.facts(name), place.address(name)
        state, why = self.look(place.path.name, name, place.deployment(name))
        if address and state == "creating" and answers(address):
            state = "ready"
        label, share = str(facts["version_label"]), place.shares.get(name, 0)
        return Deployment(name, label, str(facts["digest"]), share, state, address, why)

    def _plain_environment(self) -> dict[str, str]:
        """What a process needs that runs no flow: nothing that may be a secret."""
        kept = ("PATH", "PYTHONPATH", "LANG", "SYSTEMROOT", "TMPDIR", "HOME", "VIRTUAL_ENV")
        return {name: self.environ[name] for name in kept if name in self.environ}


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses at this moment."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """So many different ports of 127.0.0.1 that nobody uses at this moment."""
    with ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
