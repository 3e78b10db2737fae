"""Which column of the data, or output of a target, feeds which input of each evaluator."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import MappingError
from flowyard.flows.model import Flow

__all__ = ["DEFAULT", "EvaluatorMapping", "require_columns"]

DEFAULT = "default"
"""The name under which the mapping of evaluators without one of their own stands."""

_REFERENCE = re.compile(r"\$\{(.*?)\}")
_WHOLE = re.compile(r"\$\{(data|run\.outputs)\.([^{}]+)\}")


class EvaluatorMapping:
    """Mappings by evaluator, checked: ``${data.x}``, ``${target.y}`` or a literal for each input.

    Raises MappingError for any other reference, and for one to a target where there is none.
    """

    def __init__(self, by_evaluator: Mapping[str, Mapping[str, Any]], *, has_target: bool) -> None:
        self._by_evaluator = {
            alias: {name: _relation(alias, name, value, has_target=has_target) for name, value in mapping.items()}
            for alias, mapping in by_evaluator.items()
        }

    def unused(self, aliases: Collection[str]) -> list[str]:
        """A warning for each mapping of an evaluator that does not exist."""
        return [
            f"There is a mapping for {alias!r}, which is no evaluator. "
            f"{did_you_mean(alias, aliases) or f'Evaluators: {known_names(aliases)}.'}"
            for alias in self._by_evaluator
            if alias != DEFAULT and alias not in aliases
        ]

    def of(self, alias: str, flow: Flow, outputs: Collection[str]) -> dict[str, Any]:
        """The column mapping of an evaluator, with every output of the target that nothing else is said about."""
        own = self._by_evaluator.get(alias)
        shared = self._by_evaluator.get(DEFAULT, {})
        mapping = own if own is not None else {name: shared[name] for name in shared if name in flow.inputs}
        said = {value for value in mapping.values() if isinstance(value, str)}
        added = {
            name: f"${{run.outputs.{name}}}"
            for name in outputs
            if name in flow.inputs and name not in mapping and f"${{run.outputs.{name}}}" not in said
        }
        return {**mapping, **added}


def _relation(alias: str, name: str, value: Any, *, has_target: bool) -> Any:
    if not isinstance(value, str):
        return value
    for reference in _REFERENCE.findall(value):
        source = reference.partition(".")[0]
        if source not in ("data", "target") or "." not in reference:
            message = f"The mapping of {name!r} for {alias!r} reads ${{{reference}}}."
            raise MappingError(message, hint="Only ${data.COLUMN} and ${target.OUTPUT} can be read.")
        if source == "target" and not has_target:
            message = f"The mapping of {name!r} for {alias!r} reads ${{{reference}}}, but there is no target."
            raise MappingError(message, hint="Give target=…, or read ${data.COLUMN}.")
    return value.replace("${target.", "${run.outputs.")


def require_columns(
    what: str, flow: Flow, mapping: Mapping[str, Any], columns: Collection[str], outputs: Collection[str] | None = ()
) -> None:
    """Raise MappingError unless the data and the target's outputs have what the flow's inputs need.

    ``outputs`` is None while it is not known what the target will give: then only the data is asked.
    """
    lacking = []
    for name, declared in flow.inputs.items():
        match = _WHOLE.fullmatch(mapping[name]) if isinstance(mapping.get(name), str) else None
        if match is not None:
            known = columns if match[1] == "data" else outputs
            if known is not None and match[2] not in known:
                lacking.append(f"{name} (mapped to {mapping[name].replace('run.outputs', 'target')})")
        elif name not in mapping and declared.required and name not in columns and outputs is not None:
            lacking.append(name)
    if lacking:
        given = f"The data has: {known_names(sorted(columns))}."
        made = f" The target gives: {known_names(sorted(outputs))}." if outputs else ""
        raise MappingError(f"Missing required inputs for {what}: {', '.join(lacking)}.", hint=given + made)
