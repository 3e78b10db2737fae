"""When a model may be asked: rate limits, pauses, the retry budget and the breaker, shared by the workers of a run."""

from flowyard.llm.pacing.limits import RateLimit, limit_of, parse_limits, read_limits
from flowyard.llm.pacing.pacer import Pacer, PacerRules, open_pacer

__all__ = ["Pacer", "PacerRules", "RateLimit", "limit_of", "open_pacer", "parse_limits", "read_limits"]
