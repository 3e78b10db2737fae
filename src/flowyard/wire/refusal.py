"""A request that is not carried out."""

from __future__ import annotations

__all__ = ["Refusal"]


class Refusal(Exception):
    """Ends a request with ``status``; ``retry_after_s`` tells the client when to try again."""

    def __init__(self, status: int, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after_s = retry_after_s
