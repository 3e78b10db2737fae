"""When a model may be asked: rate limits, pauses, the retry budget and the breaker, shared by the workers of a run."""

from flowyard.llm.pacing.limits import RateLimit, limit_of, parse_limits, read_limits

__all__ = ["RateLimit", "limit_of", "parse_limits", "read_limits"]
