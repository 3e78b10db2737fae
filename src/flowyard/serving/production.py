"""Production records: what was asked and answered, for those who look at it later."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from flowyard._util.files import dump_json
from flowyard._util.redact import HIDDEN, redact_json
from flowyard.abc import RecordSink
from flowyard.serving.exchange import Exchange

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

    @property
    def dropped(self) -> int:
        return self._sink.dropped if self._sink is not None else 0

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
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "model_calls": usage.calls,
                "cost_usd": usage.cost_usd,
                "error": exchange.error,
                "inputs": self._shown(exchange.inputs),
                "outputs": self._shown(exchange.outputs),
            }
        )

    def feedback(self, exchange: Exchange, said: Mapping[str, Any], baggage: str) -> None:
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
                "feedback": dict(said),
                "baggage": baggage,
            }
        )

    def close(self) -> None:
        """Write what is left."""
        if self._sink is not None:
            self._sink.close()

    def _put(self, record: Mapping[str, Any]) -> None:
        assert self._sink is not None
        self._sink.put(lambda: redact_json(dump_json(record), self._secrets()))

    def _shown(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: HIDDEN if name in self._hidden else value for name, value in values.items()}


def _is_chosen(trace: str, share: float) -> bool:
    if share >= 1:
        return True
    number = int.from_bytes(hashlib.blake2b(trace.encode(), digest_size=4).digest(), "big")
    return number < share * _SHARES


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
