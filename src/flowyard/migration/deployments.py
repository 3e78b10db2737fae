"""``configs/deployment_config.json``: where each environment went, and what did not do what it says."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from flowyard._util.suggest import known_names
from flowyard._util.yamlfile import YamlFile
from flowyard.errors import UserError
from flowyard.migration.notes import Notes, looks_secret, read_structured

__all__ = ["check_deployments"]

_TARGETS = {
    "azure_managed_endpoint": "an Azure ML managed endpoint",
    "kubernetes_endpoint": "a Kubernetes endpoint",
    "webapp_endpoint": "a web app",
}
_NEEDED = {
    "azure_managed_endpoint": ("ENDPOINT_NAME", "CURRENT_DEPLOYMENT_NAME", "DEPLOYMENT_VM_SIZE"),
    "kubernetes_endpoint": ("ENDPOINT_NAME", "CURRENT_DEPLOYMENT_NAME", "COMPUTE_NAME"),
    "webapp_endpoint": ("REGISTRY_NAME", "WEB_APP_NAME", "WEB_APP_RG_NAME", "APP_PLAN_NAME"),
}
_NOT_DEPLOYED = ("pr", "None")
"""Environments of checks, which nobody deploys to."""


def check_deployments(file: Path, environments: Collection[str], connections: Collection[str], notes: Notes) -> None:
    """Findings of a deployment configuration; ``environments`` are those of the overlays."""
    try:
        found = read_structured(file)
    except UserError as error:
        notes.invalid(file, error)
        return
    if not isinstance(found.data, Mapping):
        notes.add("problem", file, 1, "The file is no JSON object.")
        return
    deployed: set[str] = set()
    for target, entries in found.data.items():
        line = found.line((target,))
        if target not in _TARGETS or not isinstance(entries, list):
            known = known_names(_TARGETS)
            notes.add("surprise", file, line, f"{target!r} was read by no script.", f"The template knows {known}.")
            continue
        for place, entry in enumerate(entries):
            if isinstance(entry, Mapping):
                deployed.add(str(entry.get("ENV_NAME")))
                _Entry(found, target, place, entry, notes).check(connections)
    _check_environments(file, deployed, environments, notes)


def _check_environments(file: Path, deployed: set[str], environments: Collection[str], notes: Notes) -> None:
    for env in environments:
        if env not in deployed and env not in _NOT_DEPLOYED:
            message = f"No entry has the ENV_NAME {env!r}: in the template its deployment does nothing and succeeds."
            notes.add("problem", file, 1, message, "Add an entry, or delete the overlay of that environment.")


class _Entry:
    """One element of one target."""

    def __init__(self, file: YamlFile, target: str, place: int, entry: Mapping[str, Any], notes: Notes) -> None:
        self.file = file
        self.target = target
        self.keys = (target, place)
        self.entry = entry
        self.notes = notes
        above = file.path.parent
        self.folder = above.parent if above.name == "configs" else above

    def check(self, connections: Collection[str]) -> None:
        env = self.entry.get("ENV_NAME")
        if not env:
            self._note("problem", "ENV_NAME", "An entry without ENV_NAME is never deployed.", "Name its environment.")
        message = f"Environment {env!r} is deployed to {_TARGETS[self.target]}."
        advice = f"flowyard deploy apply {self.folder.name} --env {env} reads it as it is."
        self._note("replaced", "ENV_NAME", message, advice)
        self._check_needed()
        self._check_traffic()
        self._check_request_file()
        self._check_connections(connections)
        self._check_variables()

    def _note(self, kind: Any, key: str, message: str, advice: str = "") -> None:
        self.notes.add(kind, self.file.path, self.file.line((*self.keys, key)), message, advice)

    def _check_needed(self) -> None:
        for key in _NEEDED[self.target]:
            if not self.entry.get(key):
                self._note("problem", key, f"{key} is empty.", "Fill it in.")

    def _check_traffic(self) -> None:
        key = "CURRENT_DEPLOYMENT_TRAFFIC_ALLOCATION"
        value = self.entry.get(key)
        if self.target == "webapp_endpoint" or value is None:
            return
        if isinstance(value, str):
            advice = "Write the number without quotes."
            self._note("surprise", key, f"The share of traffic is the text {value!r}, not a number.", advice)
        share = _number(value)
        if share is None or not 0 <= share <= 100:
            self._note("problem", key, f"{value!r} is no share of traffic.", "Write a number from 0 to 100.")
            return
        self._check_prior(share)

    def _check_prior(self, share: float) -> None:
        name, key = self.entry.get("PRIOR_DEPLOYMENT_NAME"), "PRIOR_DEPLOYMENT_TRAFFIC_ALLOCATION"
        if not name:
            rest = f"{100 - share:g} % of the traffic goes" if share < 100 else "with a second deployment, traffic goes"
            kind = "problem" if share < 100 else "surprise"
            message = f"PRIOR_DEPLOYMENT_NAME is empty: {rest} to a deployment without a name."
            self._note(kind, "PRIOR_DEPLOYMENT_NAME", message, "Name the deployment that is there, or send 100 %.")
        prior = self.entry.get(key)
        if prior in (None, ""):
            return
        message = f"{key} was never read: the prior deployment gets what the current one leaves, {100 - share:g} %."
        self._note("surprise", key, message, "" if _number(prior) == 100 - share else f"It says {prior!r}.")

    def _check_request_file(self) -> None:
        name = self.entry.get("TEST_FILE_PATH")
        if name and not (self.folder / str(name)).is_file():
            self._note("problem", "TEST_FILE_PATH", f"There is no file {name!r} in {self.folder.name}.", "Write one.")

    def _check_connections(self, known: Collection[str]) -> None:
        for name in self.entry.get("CONNECTION_NAMES") or ():
            if name not in known:
                message = f"CONNECTION_NAMES has {name!r}, which experiment.yaml does not declare."
                self._note("surprise", "CONNECTION_NAMES", message, "Declare it, or leave it out.")

    def _check_variables(self) -> None:
        variables = self.entry.get("ENVIRONMENT_VARIABLES")
        for name, value in variables.items() if isinstance(variables, Mapping) else ():
            if looks_secret(str(name), value):
                message = f"ENVIRONMENT_VARIABLES has a value for {name!r} that looks like a secret."
                self._note("problem", "ENVIRONMENT_VARIABLES", message, "Change the secret, and keep it out of files.")


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None
