"""The target ``local``: a supervised process for each deployment, on 127.0.0.1."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flowyard.deploy.model import DeploymentState, WantedDeployment
from flowyard.deploy.options.local import LocalOptions
from flowyard.deploy.targets.local.supervisor import supervisor_process
from flowyard.deploy.targets.switch.behind_switch import BehindSwitch
from flowyard.errors import UserError
from flowyard.settings import SIMULATE_VARIABLE

__all__ = ["LocalTarget"]

_SUPERVISOR = "flowyard.deploy.targets.local.supervisor"
_CRASHES = 3
"""A server that crashed so often before it ever answered is not waited for any longer."""
_RECORDS = "FLOWYARD_SERVE_RECORDS"
"""A folder that is not absolute is seen from flowyard's: what runs here has no other place that stays."""
_WRONG_INPUT = 2
"""The exit code of a server that says itself that it can never start like this."""


class LocalTarget(BehindSwitch):
    """Deployments are processes of the account that deploys; their variables are in their own environment only."""

    label = "local"

    def __init__(self, home: Path, environ: Mapping[str, str], options: LocalOptions) -> None:
        del options
        super().__init__(home, environ)

    def prepare(self, wanted: WantedDeployment, folder: Path) -> Mapping[str, Any]:
        """A copy of the version's files, which the flow may write to."""
        source = _folder_of(wanted)
        shutil.copytree(source, folder / "flow", copy_function=shutil.copyfile)
        return {"definition": wanted.definition}

    def begin(self, wanted: WantedDeployment, folder: Path) -> None:
        """See BehindSwitch."""
        own = {name: value for name, value in self.environ.items() if name != SIMULATE_VARIABLE}
        environ = {**own, **wanted.variables}  # only deployment.yaml says whether a simulated model answers
        if records := wanted.variables.get(_RECORDS):
            environ[_RECORDS] = str(self._home.resolve() / records)
        supervisor_process(folder).start(_SUPERVISOR, [str(folder), str(wanted.definition)], environ)

    def end(self, endpoint: str, name: str, folder: Path) -> None:
        """See BehindSwitch."""
        del endpoint, name
        supervisor_process(folder).stop()

    def look(self, endpoint: str, name: str, folder: Path) -> tuple[DeploymentState, str]:
        """See BehindSwitch."""
        del endpoint, name
        if not supervisor_process(folder).is_running():
            return "stopped", "Its process does not run."
        crashes, code = _crashes(folder)
        if not (folder / "address").exists() and (crashes >= _CRASHES or code == _WRONG_INPUT):
            return "failed", f"Its server ended {crashes} time{'s' if crashes > 1 else ''}, the last time with {code}."
        return "creating", ""

    def log_lines(self, endpoint: str, name: str, folder: Path, count: int) -> Sequence[str]:
        """See BehindSwitch."""
        del endpoint, name
        return supervisor_process(folder).last_lines(count)

    def export(self, wanted: WantedDeployment, folder: Path) -> Sequence[Path]:
        """There is nothing to export: everything is this program's own."""
        del wanted, folder
        raise UserError("The target local has no files for other tools.", hint="Export for docker: --target docker")


def _folder_of(wanted: WantedDeployment) -> Path:
    if wanted.folder is None or wanted.definition is None:
        raise UserError(f"The files of {wanted.version_label} are needed to serve it here.")
    return wanted.folder


def _crashes(folder: Path) -> tuple[int, int]:
    try:
        body = json.loads((folder / "crashes.json").read_text("utf-8"))
        return int(body["crashes"]), int(body["exit_code"])
    except (OSError, ValueError, KeyError):
        return 0, 0
