"""What gates, baseline, slices and labels name is looked up in what is planned, before anything is paid for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.decisions.policy import Baseline, DecisionPolicy, Gate
from flowyard.decisions.run_metrics import RUN_METRICS
from flowyard.decisions.versions import match_versions
from flowyard.errors import ExperimentInvalid, Problem
from flowyard.evaluation.builtin.catalogue import CATALOGUE
from flowyard.experiments.model import Experiment, ExperimentDataset
from flowyard.experiments.policy import read_policy, read_racing
from flowyard.runs.dataset import iter_rows, open_dataset

__all__ = ["require_references"]

_LOOKED_AT = 100


def require_references(
    experiment: Experiment,
    planned: Sequence[str],
    left_out: Sequence[str],
    *,
    gates: bool = True,
    chosen: bool = False,
) -> tuple[str, ...]:
    """Raises ExperimentInvalid for each dataset, version and column that the file names and that will not be there.

    ``planned`` are the labels of the versions that will run, ``left_out`` those that do not fit into the money. Without
    ``gates`` none is judged. A missing baseline is only a warning then, and when the versions were ``chosen`` for this
    once and no gate compares with it; so is a name that fits several. Returns what to warn of.
    """
    policy, warnings = read_policy(experiment), list(_about_race(experiment))
    names = _Planned(experiment, tuple(dict.fromkeys(planned)), frozenset(left_out))
    problems = list(_of_columns(experiment, policy, names))
    baseline = list(_of_baseline(experiment, policy, names))
    is_compared = any(gate.is_relative and gate.against is None for gate in policy.gates)
    is_needed = gates and (is_compared or not chosen)
    if is_needed and not names.fits_any(policy.baseline):
        problems += baseline
    else:
        warnings += [str(problem) for problem in baseline]
    if policy.ships is not None:
        problems += names.no_version(
            policy.ships, "The version that ships,", experiment.blocks["ships"].where(), one=True
        )
    if gates:
        problems += [problem for gate in policy.gates for problem in _of_gate(gate, names)]
    if problems:
        raise ExperimentInvalid(f"Experiment {experiment.name!r} cannot be used:", problems)
    return tuple(warnings)


@dataclass(frozen=True, slots=True)
class _Planned:
    """What will be there. The columns of data are read when they are asked for."""

    experiment: Experiment
    labels: tuple[str, ...]
    left_out: frozenset[str]
    _columns: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def datasets(self) -> Mapping[str, ExperimentDataset]:
        return {dataset.name: dataset for dataset in self.experiment.datasets}

    def fits_any(self, wanted: Baseline | None) -> bool:
        """Whether a label, or a part of one, is planned at least once."""
        return wanted is not None and bool(match_versions(wanted.label or "", self.labels))

    def no_version(self, wanted: str, what: str, where: str, *, one: bool) -> Iterator[Problem]:
        """The problem of a version that is not planned; with ``one``, also of a name that fits several."""
        found = match_versions(wanted, self.labels)
        if not found and match_versions(wanted, tuple(self.left_out)):
            yield Problem(f"{what} {wanted!r} is left out, as it does not fit into max_cost.", where, "Raise max_cost.")
        elif not found:
            near = did_you_mean(wanted, [*self.labels, *(part for each in self.labels for part in each.split(", "))])
            hint = f"{near or f'Planned are: {known_names(self.labels)}.'} Select it with 'variants' or --variants too."
            yield Problem(f"{what} {wanted!r} is no version that will be run.", where, hint)
        elif one and len(found) > 1:
            yield Problem(f"{what} {wanted!r} fits several versions.", where, f"One of {known_names(found)}.")

    def no_column(self, column: str, what: str, where: str, dataset: str | None = None) -> Iterator[Problem]:
        """The problem of a column that no dataset has, or not that one."""
        wanted = [each for name, each in self.datasets.items() if dataset in (None, name)]
        if not any(self._has(each, column) for each in wanted):
            known = list(dict.fromkeys(name for each in wanted for name in self._known(each)))
            hint = did_you_mean(column, known) or f"There are: {known_names(known)}."
            who = f"{dataset} has no" if dataset else "no dataset has a"
            yield Problem(f"{what}: {who} column {column!r}.", where, hint)

    def _has(self, dataset: ExperimentDataset, column: str) -> bool:
        """Whether one of the first rows has it, or else any."""
        return column in self._known(dataset) or open_dataset(dataset.source).has_column(column)

    def _known(self, dataset: ExperimentDataset) -> tuple[str, ...]:
        if dataset.name not in self._columns:
            rows = islice(iter_rows(dataset.source), _LOOKED_AT)
            self._columns[dataset.name] = tuple(dict.fromkeys(str(name) for row in rows for name in row.values))
        return self._columns[dataset.name]


def _of_gate(gate: Gate, names: _Planned) -> Iterator[Problem]:
    what = f"The gate {gate.text!r}"
    is_known = gate.dataset is None or gate.dataset in names.datasets
    if gate.dataset is not None and not is_known:
        hint = did_you_mean(gate.dataset, names.datasets) or f"There are: {known_names(names.datasets)}."
        yield Problem(f"{what}: there is no dataset {gate.dataset!r}.", gate.where, hint)
    if gate.version is not None:
        yield from names.no_version(gate.version, f"{what}: the variant", gate.where, one=False)
    yield from _of_version(gate.against, f"{what}: the version", gate.where, names)
    for column in gate.slice if is_known else ():
        yield from names.no_column(column, what, gate.where, gate.dataset)


def _of_baseline(experiment: Experiment, policy: DecisionPolicy, names: _Planned) -> Iterator[Problem]:
    if policy.baseline is not None:
        yield from _of_version(policy.baseline, "The baseline", experiment.blocks["baseline"].where(), names)


def _of_version(wanted: Baseline | None, what: str, where: str, names: _Planned) -> Iterator[Problem]:
    if wanted is not None and wanted.label is not None:
        yield from names.no_version(wanted.label, what, where, one=True)


def _of_columns(experiment: Experiment, policy: DecisionPolicy, names: _Planned) -> Iterator[Problem]:
    for place, column in enumerate(policy.slices):
        yield from names.no_column(column, "slices", experiment.blocks["slices"].where(place))
    if policy.cluster is not None:
        yield from names.no_column(policy.cluster, "cluster", experiment.blocks["cluster"].where())
    for name, rule in policy.metrics.items():
        if rule.labels is not None:
            yield from names.no_column(rule.labels, f"labels of {name}", rule.where)


def _about_race(experiment: Experiment) -> Iterator[str]:
    """Only a warning, and only where all evaluators are built in: what others log is not known before they run."""
    racing = read_racing(experiment)
    types = [CATALOGUE.get(each.type or "") for each in experiment.evaluators]
    if racing is None or racing.metric is None or not types or None in types:
        return
    known = set(RUN_METRICS) | set(read_policy(experiment).metrics)
    for evaluator, entry in zip(experiment.evaluators, types, strict=True):
        outputs = [name for each in entry.outputs for name in (each.name, each.metric)] if entry else []
        metrics = [each.name for each in entry.metrics] if entry else []
        known |= {form for name in [*outputs, *metrics] if name for form in (name, f"{evaluator.name}.{name}")}
    if racing.metric not in known:
        hint = did_you_mean(racing.metric, known) or f"There are: {known_names(sorted(known))}."
        where = experiment.blocks["racing"].where()
        yield f"{where}: no evaluator gives {racing.metric!r}, by which the race would drop versions. {hint}"
