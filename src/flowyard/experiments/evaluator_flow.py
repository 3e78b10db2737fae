"""The flow that an evaluator of an experiment is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from flowyard.evaluation.subjects import EvaluatorSource, EvaluatorSubject, find_subject, in_words_of_runs
from flowyard.evaluation.whole_run import has_eval_functions
from flowyard.experiments.model import Evaluator
from flowyard.flows.model import Flow

__all__ = ["asked_by_type", "evaluator_subject", "load_evaluator", "with_whole_mappings"]


def evaluator_subject(evaluator: Evaluator) -> EvaluatorSubject:
    """What judges, with its options. Raises UserError, FlowInvalid."""
    return find_subject(
        EvaluatorSource(
            evaluator.flow,
            evaluator.type,
            evaluator.python,
            evaluator.options,
            evaluator.folder,
            evaluator.where,
        )
    )


def load_evaluator(evaluator: Evaluator) -> Flow:
    """The flow that judges. Raises UserError, FlowInvalid."""
    return evaluator_subject(evaluator).flow


def with_whole_mappings(evaluator: Evaluator) -> Evaluator:
    """The evaluator with mappings in the words of runs, and with what goes without saying in them.

    Of types and Python it is found out that they exist. Raises UserError.
    """
    if evaluator.flow is not None and has_eval_functions(evaluator.flow):
        return evaluator  # they read the mappings in their own words
    mapping: Callable[[Mapping[str, Any]], dict[str, Any]] = in_words_of_runs
    if evaluator.flow is None:
        mapping = evaluator_subject(evaluator).mapping
    datasets = tuple(replace(each, mappings=mapping(each.mappings)) for each in evaluator.datasets)
    return replace(evaluator, datasets=datasets)


def asked_by_type(evaluator: Evaluator) -> tuple[int, str]:
    """How often a type asks a model for one line, and which; (0, "") for all that is known from a flow instead."""
    subject = evaluator_subject(evaluator)
    if subject.builtin is None:
        return 0, ""
    return subject.builtin.calls_of(subject.options), str(subject.options.get("model") or "")
