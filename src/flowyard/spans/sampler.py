"""Which traces are kept: OpenTelemetry's samplers."""

from __future__ import annotations

from dataclasses import dataclass

from flowyard.errors import UserError

__all__ = ["Sampler"]

_SHARES = 1 << 64
_ROOTS = ("always_on", "always_off", "traceidratio")
_NAMES = (*_ROOTS, *(f"parentbased_{root}" for root in _ROOTS))


@dataclass(frozen=True, slots=True)
class Sampler:
    """``share`` of the traces, chosen by their numbers, so that all services keep the same ones.

    With ``asks_parent`` whoever sent the request has decided, when somebody has.
    """

    share: float = 1.0
    asks_parent: bool = True

    @classmethod
    def read(cls, name: str, argument: str) -> Sampler:
        """Of OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG; empty ones are the default. Raises UserError."""
        name = name or "parentbased_always_on"
        if name not in _NAMES:
            raise UserError(f"OTEL_TRACES_SAMPLER cannot be {name!r}.", hint=f"It can be {', '.join(_NAMES)}.")
        root = name.removeprefix("parentbased_")
        share = {"always_on": 1.0, "always_off": 0.0}.get(root)
        return cls(_share(argument) if share is None else share, name != root)

    def keeps(self, trace: str, parent_flags: str | None) -> bool:
        """Whether a trace is kept; ``parent_flags`` are the two last digits of ``traceparent``, None without one."""
        if self.asks_parent and parent_flags is not None:
            return bool(int(parent_flags, 16) & 1)
        return int(trace[16:], 16) < round(self.share * _SHARES)


def _share(text: str) -> float:
    try:
        share = float(text or 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UserError(f"OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1, not {text!r}.")
    return share
