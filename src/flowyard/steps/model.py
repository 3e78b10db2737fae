"""Steps, what they come to, and the journal of those that belong together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

from flowyard.errors import ExitCode

__all__ = ["Journal", "JournalState", "Outcome", "StepRecord", "StepState"]

StepState = Literal["waiting", "running", "done", "refused"]
"""``running`` is also what a step is that was killed; it goes on when the journal does."""

JournalState = Literal["unfinished", "done", "refused"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step came to: values for the steps after it, a sentence for people, and the exit code of a no.

    A step that has to wait for people is left as ``pending``: it is done again when the journal goes on.
    """

    result: Mapping[str, Any]
    said: str
    refused: ExitCode | None = None
    pending: bool = False


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step. Times are ISO 8601 in UTC; ``result`` is what JSON can hold, without secrets."""

    name: str
    state: StepState = "waiting"
    result: Mapping[str, Any] = field(default_factory=dict)
    said: str = ""
    exit_code: int = 0
    started_at: str | None = None
    ended_at: str | None = None


@dataclass(frozen=True, slots=True)
class Journal:
    """What ``by`` does to bring one use case to one environment, step by step.

    ``versions`` are digests of all it is made from, by what people call each; ``path`` is its folder.
    """

    name: str
    key: str
    env: str
    target: str
    by: str
    created_at: str
    versions: Mapping[str, str]
    steps: tuple[StepRecord, ...]
    path: Path

    @property
    def state(self) -> JournalState:
        states = {step.state for step in self.steps}
        if "refused" in states:
            return "refused"
        return "done" if states == {"done"} else "unfinished"

    @property
    def exit_code(self) -> int:
        """The code of the step that said no; 0 when none did."""
        return next((step.exit_code for step in self.steps if step.state == "refused"), 0)

    def step(self, name: str) -> StepRecord:
        """The step of that name, which there is."""
        return next(step for step in self.steps if step.name == name)

    def with_step(self, name: str, **changes: Any) -> Self:
        """The journal with that step changed."""
        steps = tuple(replace(step, **changes) if step.name == name else step for step in self.steps)
        return replace(self, steps=steps)
