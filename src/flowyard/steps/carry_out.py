"""Going through steps: what is done is not done again, and everything is written down first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from flowyard.steps.journals import Journals
from flowyard.steps.model import Journal, Outcome, StepRecord

__all__ = ["Step", "Work", "carry_out"]

J = TypeVar("J", bound=Journal)


class Work:
    """What a step knows of its journal, and where it notes what it must not do twice."""

    def __init__(self, record: Journal, log: Journals[Any]) -> None:
        self.record = record
        self._log = log

    def result(self, step: str) -> Mapping[str, Any]:
        """What a step came to, or what it has noted so far."""
        return self.record.step(step).result

    def note(self, step: str, **values: Any) -> None:
        """Write down part of what a step comes to, before it goes on; it is there again after a kill."""
        self.change(step, result={**self.result(step), **values})

    def change(self, step: str, **changes: Any) -> None:
        """Change the step's record, on disk when this returns."""
        self.record = self.record.with_step(step, **changes)
        self._log.save(self.record)


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its name, what it does in a few words, and the function that does it.

    The function may be called again after a kill at any instant, and must then come to the same. A step that is done
    ``always`` is done after a no, too.
    """

    name: str
    summary: str
    act: Callable[[Work], Outcome]
    always: bool = False


def carry_out(
    record: J,
    steps: Sequence[Step],
    log: Journals[J],
    *,
    until: str | None = None,
    on_begin: Callable[[Step, int], None],
    on_end: Callable[[StepRecord], None],
) -> J:
    """Do what is left, up to the step ``until``; stops at a no and where people are waited for.

    After a no, only the steps that are done ``always`` are; ``until`` ends it all the same.
    """
    work = Work(record, log)
    refused = False
    for number, step in enumerate(steps, start=1):
        if work.record.step(step.name).state != "done" and (step.always or not refused):
            on_begin(step, number)
            outcome = _do(step, work)
            on_end(work.record.step(step.name))
            if outcome.pending:
                break
            refused = refused or outcome.refused is not None
        if step.name == until:
            break
    return cast("J", work.record)


def _do(step: Step, work: Work) -> Outcome:
    started = work.record.step(step.name).started_at or _now()
    work.change(step.name, state="running", started_at=started)
    outcome = step.act(work)
    state = "running" if outcome.pending else "done" if outcome.refused is None else "refused"
    ended = None if outcome.pending else _now()
    code = int(outcome.refused or 0)
    said, result = outcome.said, {**work.result(step.name), **outcome.result}
    work.change(step.name, state=state, said=said, result=result, exit_code=code, ended_at=ended)
    return outcome


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
