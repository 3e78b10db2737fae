"""Golden cases: requests with what their answers have to be, judged by the evaluators that come with flowyard."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard._util.files import dump_json
from flowyard._util.suggest import did_you_mean, known_names
from flowyard._util.yamlfile import YamlFile, read_yaml
from flowyard.errors import Problem, UserError
from flowyard.evaluation.builtin.catalogue import CATALOGUE
from flowyard.evaluation.builtin.entry import BuiltinEvaluator

__all__ = ["BOUND_KEYS", "CASE_KEYS", "Expectation", "GoldenCase", "answer_input", "golden_evaluators", "read_golden"]

CASE_KEYS = ("name", "request", "expect")
BOUND_KEYS = ("type", "output", "measure", "at_least", "at_most")
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Expectation:
    """One evaluator over one output of the answer (None: the whole answer), and the bounds of what it gives."""

    evaluator: BuiltinEvaluator
    output: str | None
    inputs: Mapping[str, Any]
    options: Mapping[str, Any]
    measure: str
    at_least: float | None
    at_most: float | None

    def problem(self, answer: Mapping[str, Any]) -> str | None:
        """Why an answer is not as expected; None when it is."""
        if self.output is not None and self.output not in answer:
            return f"The answer has no output {self.output!r}, only {known_names(answer)}."
        given = dict(answer) if self.output is None else answer[self.output]
        module, _, name = self.evaluator.entry.partition(":")
        judge = getattr(importlib.import_module(module), name)(**self.options)
        found = judge(**{answer_input(self.evaluator): given, **self.inputs})[self.measure]
        if isinstance(found, int | float) and self._is_within(float(found)):
            return None
        bounds = [f"at least {self.at_least:g}"] if self.at_least is not None else []
        bounds += [f"at most {self.at_most:g}"] if self.at_most is not None else []
        shown = dump_json(given)[:_SHOWN]
        return f"{self.measure} of {self.output or 'the answer'} is {found}, not {' and '.join(bounds)}: {shown}"

    def _is_within(self, found: float) -> bool:
        return (self.at_least is None or found >= self.at_least) and (self.at_most is None or found <= self.at_most)


@dataclass(frozen=True, slots=True)
class GoldenCase:
    """One request and all that is expected of its answer."""

    name: str
    request: Mapping[str, Any]
    expect: tuple[Expectation, ...]


def read_golden(path: Path) -> tuple[GoldenCase, ...]:
    """Read ``cases`` from YAML or JSON. Raises UserError with every problem and its line."""
    file, problems = read_yaml(path), []
    body = file.data
    cases = body.get("cases") if isinstance(body, Mapping) else None
    if not isinstance(cases, list) or not cases or set(body) != {"cases"}:
        raise UserError(
            f"{path} has no golden cases.", hint="cases: [{request: {…}, expect: [{type: exact_match, …}]}]"
        )
    problems += file.repeated_problems()
    found = [_case(file, number, case, problems) for number, case in enumerate(cases)]
    if problems:
        raise UserError("\n".join([f"{path} cannot be used:", *(f"  {each}" for each in problems)]))
    return tuple(case for case in found if case is not None)


def _case(file: YamlFile, number: int, case: Any, problems: list[Problem]) -> GoldenCase | None:
    where = file.where("cases", number)
    if not isinstance(case, Mapping) or not isinstance(case.get("request"), Mapping) or not case.get("expect"):
        problems.append(Problem("A case has a 'request' and at least one thing to 'expect'.", where))
        return None
    problems += [
        Problem(f"Unknown key {key!r}.", file.where("cases", number, key), f"Known keys: {known_names(CASE_KEYS)}.")
        for key in case
        if key not in CASE_KEYS
    ]
    listed = case["expect"] if isinstance(case["expect"], list) else [case["expect"]]
    expected = []
    for index, each in enumerate(listed):
        try:
            expected.append(_expectation(each))
        except UserError as error:
            problems.append(Problem(error.message, file.where("cases", number, "expect", index), error.hint))
    return GoldenCase(str(case.get("name") or f"case {number + 1}"), case["request"], tuple(expected))


def golden_evaluators() -> dict[str, BuiltinEvaluator]:
    """The evaluators that may judge golden cases, by name: those that need no model, no extra and no worker."""
    return {each.name: each for each in CATALOGUE.values() if not (each.model_calls or each.requires or each.apart)}


def _expectation(given: Any) -> Expectation:
    if not isinstance(given, Mapping) or "type" not in given:
        raise UserError("What is expected has a 'type'.", hint="See: flowyard evaluator list")
    usable = golden_evaluators()
    entry = usable.get(str(given["type"]))
    if entry is None:
        near = did_you_mean(str(given["type"]), usable) or f"There are: {known_names(usable, most=40)}."
        raise UserError(f"{given['type']!r} cannot judge golden cases.", hint=near)
    answer = answer_input(entry)
    inputs, options = [each.name for each in entry.inputs if each.name != answer], [each.name for each in entry.options]
    unknown = [key for key in given if key not in (*BOUND_KEYS, *inputs, *options)]
    if unknown:
        takes = f"It takes {known_names([*inputs, *options])}."
        hint = did_you_mean(unknown[0], [*BOUND_KEYS, *inputs, *options]) or takes
        raise UserError(f"{entry.name} takes no {unknown[0]!r}.", hint=hint)
    missing = [
        each.name
        for each in entry.inputs
        if each.name not in (answer, *given) and not each.optional and not (each.unless and each.unless in given)
    ]
    missing += [each.name for each in entry.options if each.is_needed and each.name not in given]
    if missing:
        raise UserError(f"{entry.name} needs {known_names(missing)}.", hint=f"flowyard evaluator show {entry.name}")
    return Expectation(
        entry,
        None if given.get("output") is None else str(given["output"]),
        {name: given.get(name) for name in inputs},
        {name: given[name] for name in options if name in given},
        *_measure(entry, given),
    )


def _measure(entry: BuiltinEvaluator, given: Mapping[str, Any]) -> tuple[str, float | None, float | None]:
    measures = {each.name: each for each in entry.outputs if each.kind != "text"}
    name = str(given.get("measure") or next(iter(measures)))
    if name not in measures:
        raise UserError(f"{entry.name} does not measure {name!r}.", hint=f"It measures {known_names(measures)}.")
    bounds = [given.get("at_least"), given.get("at_most")]
    if any(bound is not None and (isinstance(bound, bool) or not isinstance(bound, int | float)) for bound in bounds):
        raise UserError("'at_least' and 'at_most' are numbers.")
    if bounds == [None, None]:
        if measures[name].kind != "binary":
            raise UserError(f"{name} is a number, so it needs a bound.", hint="at_least: 0.8")
        bounds = [1, None]
    return name, bounds[0], bounds[1]


def answer_input(entry: BuiltinEvaluator) -> str:
    """The evaluator's input that the flow's output is given as."""
    names = [each.name for each in entry.inputs]
    return next((name for name in ("answer", "response", "prediction") if name in names), names[0])
