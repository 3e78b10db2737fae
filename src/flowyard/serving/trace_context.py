"""Which trace a request belongs to: the W3C header ``traceparent``."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

__all__ = ["TraceContext"]

_HEADER = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """``parent`` is the caller's span, None when the trace begins here; ``span`` is this request's."""

    trace: str
    span: str
    parent: str | None = None
    flags: str = "01"

    @classmethod
    def read(cls, header: str) -> TraceContext:
        """Of a request's header; a new trace when there is none, or none that is well formed."""
        span = f"{random.getrandbits(64) or 1:016x}"
        found = _HEADER.fullmatch(header) if header else None
        if found is None:
            return cls(f"{random.getrandbits(128) or 1:032x}", span)
        return cls(found[1], span, found[2], found[3])

    @property
    def header(self) -> str:
        return f"00-{self.trace}-{self.span}-{self.flags}"
