"""Going through the stages of a pipeline for one use case: what is done for the same inputs is not done again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import ExitCode, UserError
from flowyard.pipelines.log import PipelineLog, PipelineRecord
from flowyard.pipelines.model import Pipeline, Stage
from flowyard.steps import Outcome, Step, StepRecord, Work, carry_out

__all__ = ["CommandDone", "PipelineParts", "RunCommand", "begun", "go_through", "require_stage", "stages_until_version"]

_MOST_SAID = 500


@dataclass(frozen=True, slots=True)
class CommandDone:
    """How a command ended: its exit code, what it printed as JSON (None for what is none), and its last words."""

    code: int
    result: Any = None
    last_words: str = ""
    timed_out: bool = False


RunCommand = Callable[[Sequence[str], float | None], CommandDone]
"""Runs the command of these words for at most so many seconds; None for one that ends by its own deadline."""


@dataclass(frozen=True, slots=True)
class PipelineParts:
    """``use_case`` is its folder as commands get it. ``version`` is the one that is promoted. ``deploys`` says whether
    ``deployment.yaml`` has the environment; ``reports`` is where stages write; ``waits`` whether answers are waited
    for.
    """

    pipeline: Pipeline
    name: str
    use_case: str
    by: str
    versions: Mapping[str, str]
    reports: Callable[[PipelineRecord], Path]
    run_command: RunCommand
    deploys: bool
    version: str | None = None
    waits: bool = True


def require_stage(pipeline: Pipeline, name: str | None) -> None:
    """Raises UserError for a stage that the pipeline does not have."""
    names = [stage.name for stage in pipeline.stages]
    if name is not None and name not in names:
        hint = did_you_mean(name, names) or f"It has: {known_names(names)}."
        raise UserError(f"The pipeline {pipeline.name!r} has no stage {name!r}.", hint=hint)


def stages_until_version(pipeline: Pipeline) -> Sequence[str]:
    """The names of the stages up to the one that registers or takes the version."""
    names = [stage.name for stage in pipeline.stages]
    told = next((place for place, stage in enumerate(pipeline.stages) if "version" in stage.result), len(names))
    return names[: told + 1]


def begun(
    parts: PipelineParts, log: PipelineLog, *, new: bool, start: str | None = None, until: str | None = None
) -> PipelineRecord:
    """The run for the same inputs, with what failed and all after it ahead again; else a new one.

    With ``start``, as in the second job of a change after which another change came, that is also an older run which
    did not get to its end. Raises UserError, and begins nothing, when a stage needs one that was not done.
    """
    pipeline = parts.pipeline
    stages = _chosen(pipeline, start, until)
    earlier = None if new else log.newest(parts.name, pipeline.name, parts.versions)
    if earlier is None and start is not None and not new:
        earlier = log.unfinished_of(parts.name, pipeline.name, parts.versions)
    _require_needs(parts.name, earlier, stages)
    if earlier is not None and not (earlier.state == "done" and pipeline.trigger == "schedule"):
        again = _again(earlier)
        if again is not earlier:
            log.save(again)
        return again
    return log.create(
        parts.name,
        env=pipeline.name,
        target=pipeline.env,
        by=parts.by,
        versions=parts.versions,
        steps=[stage.name for stage in pipeline.stages],
    )


def go_through(
    parts: PipelineParts,
    log: PipelineLog,
    record: PipelineRecord,
    *,
    start: str | None = None,
    until: str | None = None,
    on_begin: Callable[[Step, int], None],
    on_end: Callable[[StepRecord], None],
) -> PipelineRecord:
    """Do what is left of a run that was ``begun`` for it, from the stage ``start`` up to the stage ``until``."""
    names = [stage.name for stage in parts.pipeline.stages]
    stages = _chosen(parts.pipeline, start, until)
    steps = [Step(stage.name, stage.summary, partial(_do, parts, stage), stage.always) for stage in stages]
    begin = lambda step, _: on_begin(step, names.index(step.name) + 1)  # noqa: E731
    return carry_out(record, steps, log, until=until, on_begin=begin, on_end=on_end)


def _chosen(pipeline: Pipeline, start: str | None, until: str | None) -> Sequence[Stage]:
    """The stages from one to another. Raises UserError for an end before the beginning."""
    names = [stage.name for stage in pipeline.stages]
    first = names.index(start) if start else 0
    last = names.index(until) if until else len(names) - 1
    if last < first:
        raise UserError(f"The stage {until!r} comes before {start!r}.")
    return pipeline.stages[first : last + 1]


def _again(record: PipelineRecord) -> PipelineRecord:
    """The run with its first no, and what came after, ahead again."""
    first = next((place for place, step in enumerate(record.steps) if step.state == "refused"), None)
    if first is None:
        return record
    for step in record.steps[first:]:
        empty = StepRecord(step.name)
        changes = {name: getattr(empty, name) for name in ("state", "result", "said", "exit_code", "started_at")}
        record = record.with_step(step.name, **changes, ended_at=None)
    return record


def _require_needs(name: str, record: PipelineRecord | None, stages: Sequence[Stage]) -> None:
    known = {stage.name for stage in stages} | {step.name for step in _steps(record) if step.state == "done"}
    for stage in stages:
        missing = [each for each in stage.needs if each not in known]
        if missing:
            raise UserError(
                f"The stage {stage.name!r} needs {known_names(missing)}, which was not done here for {name} as "
                "it is now.",
                hint=f"Run it from there: --from {missing[0]}\nIn another job, hand on what the job before kept: "
                "the folder .flowyard as an artifact.",
            )


def _steps(record: PipelineRecord | None) -> Sequence[StepRecord]:
    return () if record is None else record.steps


def _do(parts: PipelineParts, stage: Stage, work: Work) -> Outcome:
    if stage.deploys and not parts.deploys:
        return Outcome({"skipped": True}, f"{parts.use_case} is not deployed to {parts.pipeline.env}")
    reports = parts.reports(_record(work))
    reports.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    most_s = None if stage.asks else stage.timeout_minutes * 60  # people have as long as the approval's policy says
    done = parts.run_command(_words(parts, stage, work, reports), most_s)
    seconds = round(time.monotonic() - started, 3)
    return _outcome(stage, done, seconds)


def _words(parts: PipelineParts, stage: Stage, work: Work, reports: Path) -> list[str]:
    values = {
        "{usecase}": parts.use_case,
        "{env}": parts.pipeline.env,
        "{reports}": str(reports),
        "{version}": parts.version or _record(work).version or "",
    }
    words = [_filled(word, values) for word in stage.command]
    return [*words, *(["--no-wait"] if stage.asks and not parts.waits else []), "--json"]


def _filled(word: str, values: Mapping[str, str]) -> str:
    """The word with its one placeholder filled in; what is filled in is never looked at again."""
    for name, value in values.items():
        before, found, after = word.partition(name)
        if found:
            return before + value + after
    return word


def _record(work: Work) -> PipelineRecord:
    assert isinstance(work.record, PipelineRecord)
    return work.record


def _outcome(stage: Stage, done: CommandDone, seconds: float) -> Outcome:
    found = done.result if isinstance(done.result, Mapping) else {}
    result: dict[str, Any] = {name: found.get(name) for name in stage.result}
    result["seconds"] = seconds
    if done.timed_out:
        said = f"it was not done within {stage.timeout_minutes} minutes, and was stopped"
        return Outcome(result, said, ExitCode.OUTSIDE_FAILED)
    said = (_said(found) or done.last_words or ("done" if not done.code else f"exit code {done.code}"))[:_MOST_SAID]
    if done.code == 0:
        return Outcome(result, said)
    if stage.asks and done.code == ExitCode.NOT_APPROVED and found.get("state") == "unfinished":
        return Outcome({**result, "waits": True}, said, pending=True)
    known = done.code in set(ExitCode)
    return Outcome(result, said, ExitCode(done.code) if known else ExitCode.OUR_BUG)


def _said(found: Mapping[str, Any]) -> str:
    """What the command says of itself in a sentence: ``said``, or that of the last step it did."""
    if isinstance(found.get("said"), str):
        return str(found["said"])
    steps = found.get("steps")
    if isinstance(steps, list):
        said = [str(step.get("said") or "") for step in steps if isinstance(step, Mapping)]
        return next((each for each in reversed(said) if each), "")
    checks = found.get("checks")
    if isinstance(checks, list):
        failed = [each for each in checks if isinstance(each, Mapping) and each.get("state") != "passed"]
        first = f": {failed[0].get('name')}: {failed[0].get('message')}" if failed else ""
        return f"{len(checks) - len(failed)} of {len(checks)} checks passed{first}"
    return ""
