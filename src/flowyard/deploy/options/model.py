"""What all options have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["TargetOptions"]


class TargetOptions(BaseModel):
    """The options of one kind of target; unknown keys are mistakes. Numbers may stand in quotes, as the template's."""

    model_config = ConfigDict(extra="forbid", frozen=True)
