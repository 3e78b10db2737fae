"""The split of a test among deployments of one endpoint, by the platform that serves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flowyard.ab.evidence.model import Split
from flowyard.abc import Splitter
from flowyard.deploy.journals import splits_of, version_of
from flowyard.deploy.traffic.change import TrafficParts, change_traffic, require_platform, wanted_traffic
from flowyard.errors import Conflict, ExitCode, NotApproved, OutsideError, UserError

__all__ = ["DeploymentSplit"]


@dataclass(frozen=True, slots=True)
class DeploymentSplit(Splitter):
    """Arms are numbers of versions that are deployed. What was set when is what the journals of this home say."""

    parts: TrafficParts

    @property
    def label(self) -> str:
        return f"{self.parts.endpoint}, {self.parts.environment.name} ({self.parts.target.label})"

    def weights(self) -> Mapping[str, float]:
        found: dict[str, float] = {}
        state = self.parts.target.status(self.parts.endpoint)
        for name, share in require_platform(self.parts.target).traffic(self.parts.endpoint).shares.items():
            deployed = state.find(name)
            version = deployed.version_label.rpartition(":")[2] if deployed else version_of(name)
            found[version] = found.get(version, 0.0) + share
        return found

    def splits(self) -> Sequence[Split]:
        name, env, target = self.parts.place
        log = self.parts.log
        records = [*log.list(name), *log.traffic.list(name)]
        return splits_of([each for each in records if (each.env, each.target) == (env, target)])

    def set_weights(self, weights: Mapping[str, float], reason: str) -> None:
        """See Splitter. Raises UserError when another version gets requests, and NotApproved."""
        now = self.weights()
        others = [f"{version} ({share:g} %)" for version, share in now.items() if version not in weights and share]
        if others:
            raise UserError(
                f"Version {', '.join(others)} gets requests of {self.parts.endpoint}, and is no arm of the test.",
                hint="Give them to the arms first: flowyard deploy traffic USECASE --env E --set VERSION=100",
            )
        wanted = {version: round(share) for version, share in weights.items() if share}
        if self._is_in_force(wanted, now):
            return
        state, traffic = wanted_traffic(self.parts, wanted, None)
        try:
            record = change_traffic(self.parts, state, traffic, reason)
        except Conflict as error:  # another deployer is at it: it may be tried again
            raise OutsideError(error.message, hint=error.hint) from None
        refused = next((step for step in record.steps if step.state == "refused"), None)
        if refused is not None:
            made = NotApproved if refused.exit_code == ExitCode.NOT_APPROVED else OutsideError
            raise made(refused.said, hint="flowyard deploy traffic USECASE --env E shows who gets the requests.")

    def _is_in_force(self, wanted: Mapping[str, int], now: Mapping[str, float]) -> bool:
        """Whether that was set last, was carried out, and is so."""
        name, env, target = self.parts.place
        splits = self.splits()
        is_whole = self.parts.log.traffic.unfinished(name, env, target) is None
        return is_whole and bool(splits) and splits[-1].settled_at is not None and wanted == splits[-1].weights == now
