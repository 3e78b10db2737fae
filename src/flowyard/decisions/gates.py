"""What each gate says: pass, fail or inconclusive, with a sentence that has the numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.decisions.estimates import Estimator, Pairs
from flowyard.decisions.gate_words import all_failed_text, compared_text, estimate_text, number_text, verdict_of
from flowyard.decisions.methods import lines_not_worse, not_worse
from flowyard.decisions.model import Estimate, GateResult, Metric, Verdict
from flowyard.decisions.policy import Baseline, Gate
from flowyard.decisions.versions import match_versions
from flowyard.statistics.corrections import holm

__all__ = ["judge_gates"]


def judge_gates(
    estimator: Estimator, baseline: str | None, dropped: Iterable[tuple[str, str]] = ()
) -> tuple[GateResult, ...]:
    """Every gate of the policy over every dataset, version and slice that it is about.

    The p-values of all gates that compare two versions are corrected together (Holm). ``dropped`` has
    ``(dataset, version)`` that a race took out of the running; only a gate that names one judges it.
    """
    judge = _Judge(estimator, baseline, frozenset(dropped))
    trials = [trial for gate in estimator.policy.gates for trial in judge.trials(gate)]
    tested = [trial for trial in trials if trial.p_value is not None]
    adjusted = holm([trial.p_value or 0.0 for trial in tested])
    for trial, p_value in zip(tested, adjusted, strict=True):
        trial.decide(p_value, estimator.policy.alpha, len(tested))
    return tuple(trial.result for trial in trials)


@dataclass(slots=True)
class _Trial:
    """One gate on one version and dataset. With a ``p_value`` it is decided once all p-values are known."""

    result: GateResult
    p_value: float | None = None
    better_by: float = 0.0
    highest: float | None = None
    margin: float = 0.0
    said: str = ""

    def decide(self, p_adjusted: float, alpha: float, tests: int) -> None:
        """Passed when the test shows it; failed when the interval rules it out; else inconclusive."""
        verdict: Verdict = "inconclusive"
        if p_adjusted <= alpha and self.better_by > -self.margin:
            verdict = "pass"
        elif self.highest is not None and self.highest < -self.margin:
            verdict = "fail"
        holm_text = f" after Holm over {tests} tests" if tests > 1 else ""
        needed = self.result.lines_needed
        more = f" About {needed:,} lines would show it." if verdict == "inconclusive" and needed else ""
        reason = f"{self.said}, p = {number_text(p_adjusted)}{holm_text}.{more}"
        self.result = replace(self.result, verdict=verdict, p_value=p_adjusted, reason=reason)


@dataclass(frozen=True, slots=True)
class _Judge:
    estimator: Estimator
    baseline: str | None
    dropped: frozenset[tuple[str, str]] = field(default_factory=frozenset)

    def trials(self, gate: Gate) -> Iterator[_Trial]:
        metric = self.estimator.measured.metric(gate.metric)
        if metric is None:
            yield _Trial(_said(gate, "fail", self._not_measured(gate)))
            return
        datasets = self.estimator.versions.datasets
        if gate.dataset is not None and gate.dataset not in datasets:
            hint = did_you_mean(gate.dataset, datasets) or f"There are: {known_names(datasets)}."
            yield _Trial(_said(gate, "fail", f"The dataset {gate.dataset!r} was not run. {hint}"))
            return
        for dataset in [gate.dataset] if gate.dataset else datasets:
            versions = self._versions(gate, dataset)
            if not versions:
                yield _Trial(_said(gate, "fail", self._no_version(gate, dataset), dataset=dataset))
            for version in versions:
                yield self._trial(gate, metric, version, dataset)

    def _not_measured(self, gate: Gate) -> str:
        measured = self.estimator.measured
        names = [metric.name for metric in measured.metrics]
        twice = sorted(alias for alias in measured.aliases if alias.endswith(f".{gate.metric}"))
        if len(twice) > 1:
            return f"Several evaluators give {gate.metric!r}: write {' or '.join(twice)}."
        failed = all_failed_text(self.estimator.versions)
        near = None if failed else did_you_mean(gate.metric, [*names, *measured.aliases])
        why = f": {failed}." if failed else f". {near}" if near else "."
        evaluated = [metric.name for metric in measured.metrics if metric.evaluator]
        others = [metric.name for metric in measured.metrics if not metric.evaluator]
        return f"{gate.metric!r} was not measured{why} Measured were {known_names([*evaluated, *others], most=30)}."

    def _no_version(self, gate: Gate, dataset: str) -> str:
        labels = [each.version for each in self.estimator.versions.over(dataset)]
        if gate.version is None:
            return f"Nothing but the baseline {self.baseline} was run over {dataset}."
        near = did_you_mean(gate.version, labels)
        return (
            f"The version {gate.version!r} was not run over {dataset}. {near or f'There are: {known_names(labels)}.'}"
        )

    def _versions(self, gate: Gate, dataset: str) -> tuple[str, ...]:
        """Whom the gate judges: who is named, else who would ship, else all. None is compared with itself."""
        labels = tuple(
            each.version for each in self.estimator.versions.over(dataset) if each.version not in self._foreign
        )
        against = self._against(gate, labels) if gate.is_relative else None
        if gate.version is not None:
            return match_versions(gate.version, labels)
        ships = self.estimator.versions.ships
        if ships in labels and ships != against:
            return (ships,) if ships else ()
        return tuple(label for label in labels if label != against and (dataset, label) not in self.dropped)

    @property
    def _foreign(self) -> frozenset[str]:
        """Runs that are there only to be compared with."""
        wanted = [self.estimator.policy.baseline, *(gate.against for gate in self.estimator.policy.gates)]
        return frozenset(str(each) for each in wanted if each is not None and each.run is not None)

    def _against(self, gate: Gate, labels: Sequence[str]) -> str | None:
        wanted: Baseline | None = gate.against
        if wanted is None:
            return self.baseline
        if wanted.run is not None:
            return str(wanted)
        found = match_versions(wanted.label or "", tuple(labels))
        return found[0] if len(found) == 1 else None

    def _trial(self, gate: Gate, metric: Metric, version: str, dataset: str) -> _Trial:
        lines = None
        if gate.slice:
            lines = self.estimator.columns.lines_of(dataset, gate.slice)
            said = ", ".join(f"{column}={value}" for column, value in gate.slice.items())
            if lines is None:
                reason = f"The data of {dataset} has no column for the slice {said}."
                return _Trial(_said(gate, "fail", reason, version=version, dataset=dataset))
            if not lines:
                reason = f"No line of {dataset} is in the slice {said}."
                return _Trial(_said(gate, "fail", reason, version=version, dataset=dataset))
        found = self.estimator.estimate(
            metric, version, dataset, slice_=gate.slice, lines=lines, confidence=gate.confidence
        )
        if found is None:
            reason = f"{metric.name} was not measured for {version} on {dataset}."
            return _Trial(_said(gate, "fail", reason, version=version, dataset=dataset))
        if gate.is_relative:
            return self._relative(gate, found, lines)
        return _Trial(self._absolute(gate, found))

    def _absolute(self, gate: Gate, found: Estimate) -> GateResult:
        verdict = verdict_of(gate, found)
        reason = estimate_text(found)
        reason += self._doubt(found)
        unknown = self._unknown_cost(found)
        if verdict == "pass" and unknown:
            verdict = "inconclusive"
            reason += unknown
        if verdict == "pass" and self._leaves_out_failed(found):
            verdict = "inconclusive"
            reason += f" {found.failed_lines:,} failed lines are not in that number; leaving them out flatters."
        if gate.confidence and found.interval is None:
            verdict = "inconclusive" if verdict == "pass" else verdict
            reason += " It has no interval, so it cannot be told with confidence."
        return replace(
            _said(gate, verdict, reason, version=found.version, dataset=found.dataset),
            value=found.value,
            threshold=gate.number,
            interval=found.interval,
        )

    def _leaves_out_failed(self, found: Estimate) -> bool:
        """Whether failed lines are not in a number of an evaluator, although nobody asked to leave them out."""
        if found.metric.kind != "total" or found.metric.evaluator is None or not found.failed_lines:
            return False
        measured = self.estimator.measured
        rules = [rule for name, rule in self.estimator.policy.metrics.items() if measured.metric(name) == found.metric]
        return not any(rule.failed_lines == "exclude" for rule in rules)

    def _doubt(self, found: Estimate) -> str:
        """What makes a measurement of time, money or tokens mean less than it seems."""
        runs = self.estimator.versions.over(found.dataset)
        usage = next(each.run.usage for each in runs if each.version == found.version)
        name = found.metric.name
        if usage.cached_calls and name.startswith(("latency", "tokens")) and found.metric.evaluator is None:
            calls = usage.calls + usage.cached_calls
            return f" {usage.cached_calls:,} of {calls:,} answers were kept from before, so it would be more anew."
        return ""

    def _unknown_cost(self, found: Estimate) -> str:
        """Why a number of money is no more than a part of what it would be; empty when all of it is known."""
        if not found.metric.name.startswith("cost") or found.metric.evaluator is not None:
            return ""
        runs = self.estimator.versions.over(found.dataset)
        usage = next(each.run.usage for each in runs if each.version == found.version)
        calls = usage.calls + usage.cached_calls
        if usage.simulated_calls:
            said = f"{usage.simulated_calls:,} of {calls:,} answers of {found.version} are a simulated model's"
            return f" {said}: what they cost is not known."
        if usage.unpriced_calls:
            return f" {usage.unpriced_calls:,} model calls of {found.version} have no known price and are not in it."
        return ""

    def _relative(self, gate: Gate, found: Estimate, lines: frozenset[int] | None) -> _Trial:
        labels = [each.version for each in self.estimator.versions.over(found.dataset)]
        against = self._against(gate, labels)
        result = replace(
            _said(gate, "inconclusive", "", version=found.version, dataset=found.dataset),
            value=found.value,
            threshold=gate.number,
        )
        if against is None or against not in labels:
            name = str(gate.against or self.estimator.policy.baseline or "the flow's defaults")
            reason = f"What to compare with, {name}, was not run over {found.dataset}."
            return _Trial(replace(result, verdict="fail", reason=reason))
        if against == found.version:
            verdict: Verdict = "pass" if gate.condition == "not_worse_than" else "fail"
            return _Trial(replace(result, verdict=verdict, reason=f"{against} is the baseline itself."))
        other = replace(found, version=against)
        if unknown := self._unknown_cost(found) or self._unknown_cost(other):
            return _Trial(replace(result, reason=f"The two cannot be compared.{unknown}"))
        pairs = self.estimator.pairs(found.metric, found.version, against, found.dataset, lines)
        if pairs is None or not pairs.first:
            return _Trial(self._untested(result, found, against, gate, lines))
        return self._tested(result, found, against, gate, pairs)

    def _tested(self, result: GateResult, found: Estimate, against: str, gate: Gate, pairs: Pairs) -> _Trial:
        """The two versions line by line; what the p-value decides is found after the correction for all gates."""
        compared = self.estimator.compared(found.metric, pairs)
        sign = 1 if found.metric.higher_is_better else -1
        better_by = [sign * (a - b) for a, b in zip(pairs.first, pairs.second, strict=True)]
        result = replace(result, value=compared.value, interval=compared.interval)
        if gate.condition == "not_worse_than" and not any(better_by):
            reason = f"The same as {against} on all {compared.lines:,} lines."
            return _Trial(replace(result, verdict="pass", reason=reason))
        if self.estimator.lacks_clusters(found.dataset):
            said = compared_text(found.metric, compared, against, compared.method)
            reason = f"{said}. Which lines belong together is not known, so that no test can be trusted."
            return _Trial(replace(result, reason=reason))
        highest = None
        if compared.interval is not None:
            highest = compared.interval.high if sign > 0 else -compared.interval.low
        better = sign * compared.value
        if gate.condition == "not_worse_than":
            policy = self.estimator.policy
            p_value, test = not_worse(
                better_by, gate.number, found.metric.kind, seed=policy.seed, clusters=pairs.clusters
            )
            result = replace(result, lines_needed=lines_not_worse(better_by, gate.number, policy.alpha))
            said = compared_text(found.metric, compared, against, test)
            return _Trial(result, p_value, better, highest, gate.number, said)
        result = replace(result, lines_needed=compared.lines_needed if better > 0 else None)
        said = compared_text(found.metric, compared, against, compared.method)
        return _Trial(result, compared.p_value, better, highest, 0.0, said)

    def _untested(
        self, result: GateResult, found: Estimate, against: str, gate: Gate, lines: frozenset[int] | None
    ) -> GateResult:
        """A number of a whole run: compared as it is, without a test."""
        other = self.estimator.estimate(found.metric, against, found.dataset, slice_=gate.slice, lines=lines)
        if other is None:
            reason = f"{found.metric.name} was not measured for {against} on {found.dataset}."
            return replace(result, verdict="fail", reason=reason)
        if found.metric.kind != "total":
            return replace(result, reason=f"{found.version} and {against} have no line in common that was scored.")
        better_by = (found.value - other.value) * (1 if found.metric.higher_is_better else -1)
        is_good = better_by > 0 if gate.condition == "better_than" else better_by >= -gate.number
        reason = (
            f"{found.metric.name} is {number_text(found.value)}, that of {against} {number_text(other.value)}; "
            "compared without a test, because it is one number for the whole run."
        )
        verdict: Verdict = "pass" if is_good else "fail"
        if is_good and self._leaves_out_failed(found):
            verdict = "inconclusive"
            reason += f" {found.failed_lines:,} failed lines are not in that number; leaving them out flatters."
        return replace(result, verdict=verdict, reason=reason, value=found.value - other.value)


def _said(
    gate: Gate, verdict: Verdict, reason: str, *, version: str | None = None, dataset: str | None = None
) -> GateResult:
    return GateResult(
        gate=gate.text,
        verdict=verdict,
        reason=reason,
        metric=gate.metric,
        version=version or gate.version,
        dataset=dataset or gate.dataset,
        slice=dict(gate.slice),
        threshold=None if gate.is_relative and gate.condition == "better_than" else gate.number,
        where=gate.where,
    )
