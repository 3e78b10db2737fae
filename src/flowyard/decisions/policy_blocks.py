"""The other blocks of ``experiment.yaml`` that say how to decide: metrics, slices, racing, inconclusive, cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from flowyard._util.suggest import did_you_mean, known_names
from flowyard._util.yamlfile import YamlFile
from flowyard.decisions.gate_blocks import parse_baseline_block, parse_gates_block, read_number, slice_text
from flowyard.decisions.policy import DecisionPolicy, FailedLinesRule, MetricRule, Racing
from flowyard.errors import UserError

__all__ = [
    "METRIC_KEYS",
    "POLICY_BLOCKS",
    "RACING_KEYS",
    "parse_cluster_block",
    "parse_inconclusive_block",
    "parse_metrics_block",
    "parse_racing_block",
    "parse_ships_block",
    "parse_slices_block",
]

METRIC_KEYS = ("from", "equals", "higher_is_better", "low", "high", "failed_lines", "labels")
RACING_KEYS = ("metric", "alpha", "min_lines")


def parse_metrics_block(value: Any, file: YamlFile, *keys: str | int) -> dict[str, MetricRule]:
    """``{accuracy: {from: grade, equals: Correct}}`` by the metric's name. Raises UserError with file:line."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UserError("'metrics' is not a mapping.", hint="accuracy: {from: grade}", where=file.where(*keys))
    return {str(name): _metric(str(name), item, file, *keys, str(name)) for name, item in value.items()}


def parse_slices_block(value: Any, file: YamlFile, *keys: str | int) -> tuple[str, ...]:
    """Names of columns. Raises UserError with file:line."""
    if value is None:
        return ()
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise UserError(
            "'slices' is not a list of columns.", hint="slices: [category, language]", where=file.where(*keys)
        )
    return tuple(dict.fromkeys(value))


def parse_inconclusive_block(value: Any, file: YamlFile, *keys: str | int) -> Literal["fail", "pass"]:
    """``fail`` or ``pass``. Raises UserError with file:line."""
    if value is None or value == "fail":
        return "fail"
    if value == "pass":
        return "pass"
    hint = did_you_mean(str(value), ("fail", "pass")) or "fail: exit 3; pass: only say it."
    raise UserError(f"'inconclusive' is fail or pass, not {value!r}.", hint=hint, where=file.where(*keys))


def parse_cluster_block(value: Any, file: YamlFile, *keys: str | int) -> str | None:
    """The name of a column. Raises UserError with file:line."""
    if value is not None and (not isinstance(value, str) or not value):
        raise UserError("'cluster' is the name of a column.", hint="cluster: conversation", where=file.where(*keys))
    return value


def parse_ships_block(value: Any, file: YamlFile, *keys: str | int) -> str | None:
    """The label of a version, or a part of one. Raises UserError with file:line."""
    if value is not None and (not isinstance(value, str) or not value):
        raise UserError("'ships' is a version's label.", hint="ships: classify=few_shot", where=file.where(*keys))
    return value


def parse_racing_block(value: Any, file: YamlFile, *keys: str | int) -> Racing | None:
    """``true``, ``false`` or ``{metric, alpha, min_lines}``; None when there is no race. Raises UserError."""
    where = file.where(*keys)
    if value is None or isinstance(value, bool):
        return Racing() if value else None
    if not isinstance(value, Mapping):
        raise UserError("'racing' is true, false or a mapping.", hint="racing: {metric: accuracy}", where=where)
    _require_known(value, RACING_KEYS, "racing", file, *keys)
    metric = value.get("metric")
    if metric is not None and (not isinstance(metric, str) or not metric):
        raise UserError("'metric' of racing is a metric's name.", where=where)
    alpha = read_number(value.get("alpha", 0.05), "'alpha'", where)
    least = read_number(value.get("min_lines", 30), "'min_lines'", where)
    if not 0 < alpha < 0.5:
        raise UserError(f"'alpha' is above 0 and below 0.5, not {alpha:g}.", hint="alpha: 0.05", where=where)
    if least < 1 or least != int(least):
        raise UserError(f"'min_lines' is a whole number from 1, not {least:g}.", hint="min_lines: 30", where=where)
    return Racing(metric, alpha, int(least))


def _metric(name: str, item: Any, file: YamlFile, *keys: str | int) -> MetricRule:
    where = file.where(*keys)
    if not isinstance(item, Mapping):
        raise UserError(f"The metric {name!r} is not a mapping.", hint=f"{name}: {{from: grade}}", where=where)
    _require_known(item, METRIC_KEYS, "A metric", file, *keys)
    better = item.get("higher_is_better")
    if not isinstance(better, bool | None):
        raise UserError("'higher_is_better' is true or false.", where=file.where(*keys, "higher_is_better"))
    for key in ("from", "labels"):
        if item.get(key) is not None and (not isinstance(item[key], str) or not item[key]):
            raise UserError(f"{key!r} is the name of a column.", where=file.where(*keys, key))
    bounds = {
        key: None if item.get(key) is None else read_number(item[key], repr(key), where) for key in ("low", "high")
    }
    low, high = bounds["low"], bounds["high"]
    if low is not None and high is not None and low >= high:
        raise UserError(f"'low' ({low:g}) is not below 'high' ({high:g}).", where=where)
    if item.get("equals") is not None and item.get("from") is None:
        raise UserError("'equals' needs 'from', the column that it is looked for in.", where=where)
    equals = None if item.get("equals") is None else slice_text(item["equals"])
    return MetricRule(
        name, item.get("from"), equals, better, low, high, _failed_lines(item, where), item.get("labels"), where
    )


def _failed_lines(item: Mapping[str, Any], where: str) -> FailedLinesRule:
    value = item.get("failed_lines", "worst")
    if value == "worst":
        return "worst"
    if value == "exclude":
        return "exclude"
    if isinstance(value, str):
        hint = did_you_mean(value, ("worst", "exclude")) or "worst, exclude or a number."
        raise UserError(f"'failed_lines' cannot be {value!r}.", hint=hint, where=where)
    return read_number(value, "'failed_lines'", where)


def _require_known(
    item: Mapping[Any, Any], known: tuple[str, ...], what: str, file: YamlFile, *keys: str | int
) -> None:
    for key in item:
        if key not in known:
            hint = did_you_mean(str(key), known) or f"It takes {known_names(known)}."
            raise UserError(f"{what} has no {key!r}.", hint=hint, where=file.where(*keys, str(key)))


POLICY_BLOCKS: Mapping[str, Any] = {
    "metrics": parse_metrics_block,
    "baseline": parse_baseline_block,
    "slices": parse_slices_block,
    "gates": parse_gates_block,
    "inconclusive": parse_inconclusive_block,
    "cluster": parse_cluster_block,
    "ships": parse_ships_block,
}
"""The blocks that make up a DecisionPolicy, each under the name of its field."""

assert set(POLICY_BLOCKS) <= set(DecisionPolicy.__dataclass_fields__)
