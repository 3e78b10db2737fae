"""Every metric of some versions, line by line where that is possible; failed lines by the rule of the metric."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from math import isnan

from flowyard.decisions.columns import NAN, RunColumns, read_columns
from flowyard.decisions.direction import Stated, find_stated, lower_is_better
from flowyard.decisions.linking import Link, find_link, is_number, values_of
from flowyard.decisions.measured import Measured
from flowyard.decisions.model import Metric, MetricKind, Scores
from flowyard.decisions.policy import MetricRule
from flowyard.decisions.run_metrics import RUN_METRICS
from flowyard.decisions.versions import VersionRun, Versions

__all__ = ["measure"]


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a metric comes from: an evaluator and one of its outputs, or only the number it logged."""

    name: str
    evaluator: str
    link: Link | None
    rule: MetricRule | None = None
    is_inferred: bool = False


def measure(versions: Versions, rules: Mapping[str, MetricRule]) -> Measured:
    """Read the lines of all runs and make every metric of them. Raises StoreError for a damaged line."""
    found = Measured()
    evaluated: dict[tuple[str, str, str], RunColumns] = {}
    wants_outputs = any(rule.column for rule in rules.values())
    for each in versions.runs:
        found.base[each.dataset, each.version] = read_columns(each.run, outputs=wants_outputs)
        for evaluator, run in each.evaluations.items():
            evaluated[evaluator, each.dataset, each.version] = read_columns(run)
    sources = _named(list(_sources(versions, rules, evaluated, found)), found)
    for source, name in sources:
        _add(source, name, versions, evaluated, found)
    _add_run_metrics(versions, found)
    return found


def _sources(
    versions: Versions,
    rules: Mapping[str, MetricRule],
    evaluated: Mapping[tuple[str, str, str], RunColumns],
    found: Measured,
) -> Iterator[_Source]:
    explicit = set()
    for rule in rules.values():
        if rule.column is not None:
            source = _explicit(rule, versions, evaluated, found)
            if source is not None or any(lines.columns for lines in evaluated.values()):
                explicit.add(_bare(rule.name, versions))  # what is not where it should be is not looked for elsewhere
            if source is not None:
                yield source
    for evaluator in versions.evaluators:
        runs = [
            (each.evaluations[evaluator].metrics, evaluated[evaluator, each.dataset, each.version])
            for each in versions.runs
            if evaluator in each.evaluations
        ]
        yield from _of_evaluator(evaluator, runs, rules, explicit)


def _bare(name: str, versions: Versions) -> str:
    evaluator, _, metric = name.partition(".")
    return metric if metric and evaluator in versions.evaluators else name


def _explicit(
    rule: MetricRule,
    versions: Versions,
    evaluated: Mapping[tuple[str, str, str], RunColumns],
    found: Measured,
) -> _Source | None:
    """A metric that the block ``metrics`` says where to find: in an evaluator's outputs, or in the flow's own."""
    wanted = str(rule.column)
    evaluator, _, column = wanted.partition(".")
    places = {(name, wanted) for (name, _, _), lines in evaluated.items() if wanted in lines.columns}
    if evaluator in versions.evaluators and column:
        places |= {(evaluator, column)}
    if not places and any(wanted in lines.columns for lines in found.base.values()):
        places = {("", wanted)}
    if len(places) == 1:
        evaluator, column = next(iter(places))
        return _Source(_bare(rule.name, versions), evaluator, Link(column, rule.equals), rule)
    if places:
        owners = ", ".join(sorted(name for name, _ in places))
        found.warnings.append(
            f"{rule.where}: several evaluators have the output {wanted!r} ({owners}): write evaluator.{wanted}."
        )
    elif evaluated:
        names = sorted({name for lines in evaluated.values() for name in lines.columns})
        found.warnings.append(
            f"{rule.where}: no evaluator has the output {wanted!r}, so {rule.name!r} is not measured; "
            f"there are: {', '.join(names) or 'none'}."
        )
    return None


def _of_evaluator(
    evaluator: str,
    runs: Sequence[tuple[Mapping[str, object], RunColumns]],
    rules: Mapping[str, MetricRule],
    explicit: set[str],
) -> Iterator[_Source]:
    """What one evaluator logged, each with the output behind it; then outputs that are numbers and nobody logged."""
    logged = dict.fromkeys(name for metrics, _ in runs for name, value in metrics.items() if is_number(value))
    links: list[Link] = []
    for name in logged:
        if name not in explicit:
            link = find_link(name, runs)
            links += [link] if link else []
            yield _Source(name, evaluator, link, _rule(rules, evaluator, name), is_inferred=link is not None)
    columns = dict.fromkeys(name for _, lines in runs for name, column in lines.columns.items() if column.is_numeric)
    for name in columns:
        if name in logged or name in explicit or any(_is_copy(Link(name), link, runs) for link in links):
            continue
        if all(name not in lines.columns or lines.columns[name].is_numeric for _, lines in runs):
            yield _Source(name, evaluator, Link(name), _rule(rules, evaluator, name))


def _rule(rules: Mapping[str, MetricRule], evaluator: str, name: str) -> MetricRule | None:
    return rules.get(f"{evaluator}.{name}") or rules.get(name)


def _is_copy(link: Link, other: Link, runs: Sequence[tuple[Mapping[str, object], RunColumns]]) -> bool:
    return all(
        (mine := values_of(link, lines)) is not None
        and (theirs := values_of(other, lines)) is not None
        and all(a == b or (isnan(a) and isnan(b)) for a, b in zip(mine, theirs, strict=True))
        for _, lines in runs
    )


def _named(sources: Sequence[_Source], found: Measured) -> list[tuple[_Source, str]]:
    """Each with a name that is its own: with its evaluator where two give it, or where every run has one of it."""
    names = [source.name for source in sources]
    named = []
    for source in sources:
        qualified = f"{source.evaluator}.{source.name}" if source.evaluator else source.name
        is_plain = names.count(source.name) == 1 and source.name not in RUN_METRICS
        name = source.name if is_plain else qualified
        found.aliases[qualified] = name
        named.append((source, name))
    return named


def _add(
    source: _Source,
    name: str,
    versions: Versions,
    evaluated: Mapping[tuple[str, str, str], RunColumns],
    found: Measured,
) -> None:
    if source.link is None:
        found.metrics.append(_metric(source, name, "total", (), _stated(source, versions)))
        for each in versions.runs:
            value = (
                each.evaluations[source.evaluator].metrics.get(source.name)
                if source.evaluator in each.evaluations
                else None
            )
            if is_number(value):
                found.totals[name, each.version, each.dataset] = float(value)  # type: ignore[arg-type]
        return
    parts = [_Part(each, source, evaluated, found.base) for each in versions.runs]
    seen = [value for part in parts for value in part.values.values() if not isnan(value)]
    kind: MetricKind = "binary" if seen and all(value in (0.0, 1.0) for value in seen) else "score"
    metric = _metric(source, name, kind, seen, _stated(source, versions))
    failed = _failed_value(metric, source.rule, seen)
    found.metrics.append(metric)
    for dataset in versions.datasets:
        rows = [part for part in parts if part.run.dataset == dataset and part.is_measured]
        if rows:
            found.scores.append(_scores(metric, dataset, rows, failed))
        _warn_of_missing(metric, rows, found)


class _Part:
    """One version's values of one metric by line number. NaN: the line has none."""

    def __init__(
        self,
        run: VersionRun,
        source: _Source,
        evaluated: Mapping[tuple[str, str, str], RunColumns],
        base: Mapping[tuple[str, str], RunColumns],
    ) -> None:
        self.run = run
        own = base[run.dataset, run.version]
        lines = evaluated.get((source.evaluator, run.dataset, run.version)) if source.evaluator else own
        values = values_of(source.link, lines) if source.link is not None and lines is not None else None
        self.is_measured = lines is not None or (len(own) > 0 and all(own.failed))
        self.values: dict[int, float] = {}
        self.failed = {number for number, failed in zip(own.numbers, own.failed, strict=True) if failed}
        if lines is not None:
            self.failed |= {number for number, failed in zip(lines.numbers, lines.failed, strict=True) if failed}
            self.values = dict(zip(lines.numbers, values if values is not None else repeat(NAN), strict=False))
        self.numbers = own.numbers


def _scores(metric: Metric, dataset: str, parts: Sequence[_Part], failed: float) -> Scores:
    lines = array("q", sorted({number for part in parts for number in part.numbers}))
    values = {
        part.run.version: array(
            "d", (failed if number in part.failed else part.values.get(number, NAN) for number in lines)
        )
        for part in parts
    }
    return Scores(metric, dataset, lines, values, {part.run.version: frozenset(part.failed) for part in parts})


def _warn_of_missing(metric: Metric, parts: Sequence[_Part], found: Measured) -> None:
    for part in parts:
        values = (part.values.get(number, NAN) for number in part.numbers if number not in part.failed)
        missing = sum(isnan(value) for value in values)
        if missing:
            found.warnings.append(
                f"{metric.name}: {missing:,} of {len(part.numbers):,} lines of {part.run.version} on "
                f"{part.run.dataset} have no value from {metric.evaluator or 'the flow'}; they do not count."
            )


def _stated(source: _Source, versions: Versions) -> Stated | None:
    runs = [each.evaluations[source.evaluator] for each in versions.runs if source.evaluator in each.evaluations]
    return find_stated(runs[0], source.name, source.link) if runs else None


def _metric(source: _Source, name: str, kind: MetricKind, seen: Sequence[float], stated: Stated | None) -> Metric:
    """What is known of a metric: what the block ``metrics`` says goes over what its evaluator states, and that over
    what its name suggests.
    """
    rule = source.rule
    sayings = [each.higher_is_better for each in (rule, stated) if each and each.higher_is_better is not None]
    better = sayings[0] if sayings else not lower_is_better(source.name)
    low = next((each.low for each in (rule, stated) if each and each.low is not None), None)
    high = next((each.high for each in (rule, stated) if each and each.high is not None), None)
    if kind == "binary":
        low, high = 0.0, 1.0
    metric = Metric(name, kind, better, source.evaluator or None, low, high)
    return replace(metric, meaning=_meaning(source, metric, seen))


def _meaning(source: _Source, metric: Metric, seen: Sequence[float]) -> str:
    if source.link is None:
        return (
            f"The number that {source.evaluator} logged for the whole run, which no output explains line by line: "
            "it is compared without a test, and failed lines are not in it."
        )
    found = ", found because its mean is the number that was logged" if source.is_inferred else ""
    rule = source.rule.failed_lines if source.rule else "worst"
    if rule == "exclude":
        counted = "Failed lines are left out, as 'failed_lines: exclude' asks."
    else:
        counted = f"A failed line counts {_failed_value(metric, source.rule, seen):.4g}."
    whose = f" of {source.evaluator}" if source.evaluator else " of the flow"
    return f"The mean of {source.link.meaning}{whose}{found}. {counted}"


def _failed_value(metric: Metric, rule: MetricRule | None, seen: Sequence[float]) -> float:
    """What a failed line counts; NaN leaves it out."""
    chosen = rule.failed_lines if rule else "worst"
    if chosen == "exclude":
        return NAN
    if isinstance(chosen, int | float):
        return float(chosen)
    bound = metric.low if metric.higher_is_better else metric.high
    if bound is not None:
        return bound
    if not seen:
        return 0.0 if metric.higher_is_better else 1.0
    return min(seen) if metric.higher_is_better else max(seen)


def _add_run_metrics(versions: Versions, found: Measured) -> None:
    for each in RUN_METRICS.values():
        found.metrics.append(each.metric)
        for run in versions.runs:
            lines = found.base[run.dataset, run.version]
            value = each.total(run.run, lines)
            if math.isfinite(value):
                found.totals[each.metric.name, run.version, run.dataset] = value
        if each.lines is None:
            continue
        for dataset in versions.datasets:
            rows = [(run.version, found.base[dataset, run.version]) for run in versions.over(dataset)]
            numbers = array("q", sorted({number for _, lines in rows for number in lines.numbers}))
            values = {}
            for version, lines in rows:
                known = dict(zip(lines.numbers, each.lines(lines), strict=True))
                values[version] = array("d", (known.get(number, NAN) for number in numbers))
            found.scores.append(Scores(each.metric, dataset, numbers, values))
