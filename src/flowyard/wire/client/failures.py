"""Answers that do not come, or not to their end."""

from __future__ import annotations

__all__ = ["BrokenOff", "Unanswered"]


class Unanswered(Exception):
    """No answer came. ``is_untouched`` says that the request was not begun, so that it may be sent again.

    ``is_late`` says that the time for it was over.
    """

    def __init__(self, message: str, *, is_untouched: bool = False, is_late: bool = False) -> None:
        super().__init__(message)
        self.is_untouched = is_untouched
        self.is_late = is_late


class BrokenOff(Exception):
    """The answer ended before its end."""
