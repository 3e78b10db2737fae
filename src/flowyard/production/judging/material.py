"""An exchange as evaluators see it: a row of data, and a line of a run that has been."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from flowyard.production.exchanges.lines import JoinedExchange
from flowyard.records import ErrorRecord, LineResult, Usage

__all__ = ["judged_outputs", "line_of", "row_of"]


class _Renaming(Protocol):
    @property
    def renamed(self) -> Mapping[str, str]: ...


def judged_outputs(each: JoinedExchange) -> Mapping[str, Any] | None:
    """What the flow answered; None when it gave no answer."""
    exchange = each.exchange
    return None if exchange.is_failed or exchange.status >= 400 or exchange.error else exchange.outputs


def row_of(each: JoinedExchange, *judges: _Renaming) -> dict[str, Any]:
    """The columns: each input under its name and under that of the experiment's data, and what people said of it.

    ``label``, ``feedback`` (``positive`` or ``negative``), ``score`` and ``comment`` are there only if somebody said
    so, and give way to inputs of these names.
    """
    exchange, opinion = each.exchange, each.opinion
    said = {
        "label": opinion.label,
        "feedback": None if opinion.positive is None else "positive" if opinion.positive else "negative",
        "score": opinion.score,
        "comment": opinion.comment,
    }
    about = {"request_id": exchange.request_id, "version": exchange.version, "at": exchange.at.isoformat()}
    inputs = exchange.inputs
    return {
        **about,
        **{name: value for name, value in said.items() if value is not None},
        **{f"inputs.{name}": value for name, value in inputs.items()},
        **{column: inputs[name] for judge in judges for column, name in judge.renamed.items() if name in inputs},
        **inputs,
    }


def line_of(each: JoinedExchange, number: int) -> LineResult:
    """The exchange as a line of a run, with what it took in production."""
    exchange, outputs = each.exchange, judged_outputs(each)
    said = exchange.error or f"The request failed with status {exchange.status}."
    return LineResult(
        line_number=number,
        status="failed" if outputs is None else "completed",
        inputs=dict(exchange.inputs),
        outputs=dict(outputs or {}),
        error=ErrorRecord("RequestFailed", said) if outputs is None else None,
        duration_s=exchange.latency_s,
        usage=Usage(
            calls=exchange.model_calls,
            prompt_tokens=exchange.prompt_tokens,
            completion_tokens=exchange.completion_tokens,
            unpriced_calls=exchange.unpriced_calls,
            cost_usd=exchange.cost_usd,
        ),
        started_at=exchange.at.isoformat(),
    )
