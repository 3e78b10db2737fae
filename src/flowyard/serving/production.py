"""Production records: what was asked and answered, for those who look at it later."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from flowyard._util.files import dump_json
from flowyard._util.redact import redact_json
from flowyard.abc import RecordSink
from flowyard.serving.exchange import Exchange
from flowyard.serving.hiding import hidden_values, without

__all__ = ["Production"]

_SHARES = 1 << 32


class Production:
    """Writes a share of all exchanges, and every feedback, to a sink; secrets and ``hidden`` values never.

    Which requests are recorded depends on their trace alone, so that several services record the same ones.
    """

    def __init__(
        self,
        sink: RecordSink | None,
        *,
        flow: str,
        version: str,
        share: float,
        hidden: frozenset[str],
        secrets: Callable[[], list[str]],
    ) -> None:
        self._sink = sink
        self._about = {"flow": flow, "version": version}
        self._share = share
        self._hidden = hidden
        self._secrets = secrets

        self._refused = 0

    @property
    def is_on(self) -> bool:
        """Whether anything is kept."""
        return self._sink is not None

    @property
    def dropped(self) -> int:
        """Records that the sink could not keep, or refused."""
        return self._refused + (self._sink.dropped if self._sink is not None else 0)

    def ended(self, exchange: Exchange) -> None:
        """Keep an exchange, if it is among those that are kept."""
        if self._sink is None or not _is_chosen(exchange.trace.trace, self._share):
            return
        usage = exchange.usage
        self._put(
            {
                "kind": "exchange",
                "at": _now(),
                "request_id": exchange.request_id,
                "trace_id": exchange.trace.trace,
                "span_id": exchange.trace.span,
                **self._about,
                "route": exchange.route,
                "status": exchange.status,
                "latency_s": round(exchange.latency_s, 6),
                "first_piece_s": exchange.first_piece_s,
                "models": exchange.calls.models if exchange.calls is not None else [],
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "model_calls": usage.calls,
                "cost_usd": usage.cost_usd,
                "unpriced_calls": usage.unpriced_calls,
                **({"simulated": True} if usage.simulated_calls else {}),
                "error": exchange.error,
                "inputs": without(exchange.inputs, self._hidden),
                "outputs": without(exchange.outputs, self._hidden),
            },
            [exchange.inputs, exchange.outputs],
        )

    def feedback(self, exchange: Exchange, said: Mapping[str, Any], baggage: Mapping[str, str]) -> None:
        """Keep what a person thinks of an answer, joined to it by the trace."""
        if self._sink is None:
            return
        self._put(
            {
                "kind": "feedback",
                "at": _now(),
                "request_id": exchange.request_id,
                "trace_id": exchange.trace.trace,
                "span_id": exchange.trace.parent,
                **self._about,
                "feedback": without(said, self._hidden),
                "baggage": without(baggage, self._hidden),
            },
            [said, baggage],
        )

    def close(self) -> None:
        """Write what is left."""
        if self._sink is not None:
            self._sink.close()

    def _put(self, record: Mapping[str, Any], given: Any) -> None:
        """``given`` is searched for what must not be in the record under other names either."""
        assert self._sink is not None

        def text() -> str:
            return redact_json(dump_json(record), [*self._secrets(), *hidden_values(given, self._hidden)])

        try:
            self._sink.put(text)
        except Exception:  # a sink of others; a request must not fail for it
            self._refused += 1


def _is_chosen(trace: str, share: float) -> bool:
    if share >= 1:
        return True
    number = int.from_bytes(hashlib.blake2b(trace.encode(), digest_size=4).digest(), "big")
    return number < share * _SHARES


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
