"""What all options have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["TargetOptions"]


class TargetOptions(BaseModel):
    """The options of one kind of target; unknown keys are mistakes. Numbers may stand in quotes, as the template's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def repository(self, name: str) -> str | None:  # noqa: ARG002 - most have none
        """Where images of a use case of that name are pushed to, if these options say it."""
        return None
