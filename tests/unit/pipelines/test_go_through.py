"""The stages of a pipeline in order: done, done again, left out; with commands that come to what a test says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard.errors import UserError
from flowyard.pipelines import PIPELINES
from flowyard.pipelines.log import PipelineLog, PipelineRecord
from flowyard.pipelines.report import StageReport, exit_code, record_view, render_junit, render_markdown, worst
from flowyard.pipelines.run import CommandDone, PipelineParts, begun, go_through, require_stage
from flowyard.steps import StepRecord

DEV = PIPELINES["dev"]
NAMES = [stage.name for stage in DEV.stages]


class Commands:
    """Notes which commands are run, and ends them as it is told, by the stage's last words or else well."""

    def __init__(self, codes: Mapping[str, int] | None = None, result: Any = None) -> None:
        self.ran: list[list[str]] = []
        self.codes = codes or {}
        self.result = result if result is not None else {"version": 7, "digest": "d"}

    def __call__(self, words: Sequence[str], most_s: float | None) -> CommandDone:
        del most_s
        self.ran.append(list(words))
        code = next((code for sign, code in self.codes.items() if sign in words), 0)
        if code == -9:
            raise SystemExit(9)
        return CommandDone(code, self.result, "said")

    @property
    def last(self) -> list[str]:
        return [words[words.index("--until") + 1] if "--until" in words else words[1] for words in self.ran]


def parts(commands: Commands, tmp: Path, **changes: Any) -> PipelineParts:
    made = PipelineParts(
        pipeline=DEV,
        name="shop",
        use_case="cases/shop",
        by="ann",
        versions={"the files": "1"},
        reports=lambda record: tmp / record.key,
        run_command=commands,
        deploys=True,
    )
    return replace(made, **changes)


def run(made: PipelineParts, tmp: Path, *, new: bool = False, **options: Any) -> PipelineRecord:
    log = PipelineLog(tmp)
    with log.alone(made.name, made.pipeline.name):
        record = begun(made, log, new=new, **options)
        return go_through(made, log, record, on_begin=lambda *_: None, on_end=lambda *_: None, **options)


def test_all_stages_are_done_once_and_the_version_is_handed_on(tmp_path: Path):
    commands = Commands()
    record = run(parts(commands, tmp_path), tmp_path)
    assert (record.state, [step.name for step in record.steps]) == ("done", NAMES)
    assert len(commands.ran) == len(NAMES)
    approval = next(words for words in commands.ran if words[-2:] == ["approval", "--json"])
    assert approval == ["release", "cases/shop", "--env", "dev", "--version", "7", "--until", "approval", "--json"]
    again = run(parts(commands, tmp_path), tmp_path)
    assert (again.key, len(commands.ran)) == (record.key, len(NAMES))
    assert run(parts(commands, tmp_path), tmp_path, new=True).key != record.key
    changed = parts(commands, tmp_path, versions={"the files": "2"})
    assert run(changed, tmp_path).key != record.key


def test_what_failed_is_done_again_and_reports_are_written_after_a_no(tmp_path: Path):
    commands = Commands({"gates": 3})
    record = run(parts(commands, tmp_path), tmp_path)
    assert commands.last == ["validate", "data", "experiment", "gates", "report", "report"]
    assert (record.state, exit_code(record)) == ("refused", 3)
    assert record.step("register").state == "waiting"
    better = Commands()
    again = run(parts(better, tmp_path), tmp_path)
    assert (again.key, again.state) == (record.key, "done")
    assert better.last[0] == "gates"
    assert better.last.count("report") == 2


def test_a_kill_repeats_only_the_stage_that_was_running(tmp_path: Path):
    commands = Commands({"experiment": -9})
    with pytest.raises(SystemExit):
        run(parts(commands, tmp_path), tmp_path)
    better = Commands()
    assert run(parts(better, tmp_path), tmp_path).state == "done"
    assert better.last[0] == "experiment"


def test_from_and_until_are_jobs_and_needs_are_required(tmp_path: Path):
    commands = Commands()
    made = parts(commands, tmp_path)
    with pytest.raises(UserError, match=r"needs .*register") as raised:
        run(made, tmp_path, start="approval")
    assert "--from register" in str(raised.value.hint)
    assert commands.ran == []
    assert run(made, tmp_path, until="register").step("register").state == "done"
    assert run(made, tmp_path, start="approval", until="smoke").step("smoke").state == "done"
    assert commands.last[-1] == "test"
    assert run(made, tmp_path).state == "done"
    with pytest.raises(UserError, match="comes before"):
        run(made, tmp_path, start="smoke", until="data")
    with pytest.raises(UserError, match="has no stage") as unknown:
        require_stage(DEV, "aproval")
    assert "approval" in str(unknown.value.hint)


def test_a_refused_command_leaves_the_run_that_was_begun_as_it_is(tmp_path: Path):
    """Two changes come one after the other in one home: the second job of each goes on with its own run."""
    first, second, third = (parts(Commands(), tmp_path, versions={"the files": each}) for each in "123")
    ours = [run(each, tmp_path, until="report").key for each in (first, second)]
    for wrong in ({"start": "approval"}, {"start": "smoke", "until": "data"}):
        with pytest.raises(UserError):
            run(third, tmp_path, **wrong)
    with pytest.raises(UserError, match="needs"):
        run(second, tmp_path, start="approval", new=True)
    assert len(PipelineLog(tmp_path).list()) == 2
    theirs = [run(each, tmp_path, start="approval") for each in (first, second)]
    assert [(each.key, each.state) for each in theirs] == [(key, "done") for key in ours]
    assert run(first, tmp_path, until="validate").key not in ours, "what is older than another change begins anew"


def test_a_clock_that_was_put_back_hides_nothing(tmp_path: Path):
    ahead = run(parts(Commands(), tmp_path), tmp_path)
    future = "29991231_235959_999999"
    ahead.path.rename(ahead.path.with_name(future))
    PipelineLog(tmp_path).save(replace(ahead, key=future, path=ahead.path.with_name(future)))
    changed = parts(Commands({"gates": 3}), tmp_path, versions={"the files": "2"})
    first = run(changed, tmp_path)
    assert first.key > future
    assert run(changed, tmp_path).key == first.key
    newest = PipelineLog(tmp_path).newest("shop", "dev")
    assert newest is not None
    assert newest.key == first.key


def test_waiting_for_people_is_no_no(tmp_path: Path):
    commands = Commands({"approval": 4}, {"version": 7, "state": "unfinished"})
    made = parts(commands, tmp_path, waits=False)
    record = run(made, tmp_path)
    assert commands.ran[-1][-2:] == ["--no-wait", "--json"]
    assert (record.state, record.waits, exit_code(record)) == ("unfinished", True, 4)
    refused = Commands({"approval": 4}, {"version": 7, "state": "refused"})
    record = run(parts(refused, tmp_path), tmp_path)
    assert (record.state, exit_code(record)) == ("refused", 4)
    assert refused.last[-1] == "report"


def test_what_is_not_deployed_ends_with_its_version(tmp_path: Path):
    commands = Commands()
    record = run(parts(commands, tmp_path, deploys=False), tmp_path)
    assert record.state == "done"
    assert "approval" not in commands.last
    states = {each["name"]: each["state"] for each in record_view(StageReport(DEV, record))["stages"]}
    assert states["smoke"] == "skipped"
    assert b'skipped="5"' in render_junit([StageReport(DEV, record)])


def test_a_stage_that_takes_too_long_is_a_fault_of_the_outside(tmp_path: Path):
    def slow(words: Sequence[str], most_s: float | None) -> CommandDone:
        assert (most_s is None) == ("approval" in words)
        return CommandDone(130, None, "", timed_out="data" in words)

    record = run(parts(slow, tmp_path, pipeline=DEV), tmp_path)  # type: ignore[arg-type]
    assert record.step("validate").exit_code == 70
    record = run(parts(Commands(), tmp_path), tmp_path, until="validate")
    record = run(parts(slow, tmp_path), tmp_path, start="data")  # type: ignore[arg-type]
    assert "within 15 minutes" in record.step("data").said
    assert record.step("data").exit_code == 5


def test_scheduled_pipelines_begin_anew(tmp_path: Path):
    made = parts(Commands(), tmp_path, pipeline=PIPELINES["post"])
    assert run(made, tmp_path).key != run(made, tmp_path).key


def test_damaged_runs_begin_anew(tmp_path: Path):
    record = run(parts(Commands(), tmp_path), tmp_path)
    file = record.path / "pipeline.json"
    file.write_text(file.read_text().replace("done", "waiting", 1))
    assert run(parts(Commands(), tmp_path), tmp_path).key != record.key


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_hostile_words_are_literal_in_reports(said: str):
    record = PipelineRecord("shop", "k", "dev", "dev", "ann", "2026-01-01T00:00:00+00:00", {}, (), Path("p"))
    steps = [step for stage in DEV.stages[:1] for step in _refused(stage.name, said)]
    report = StageReport(DEV, replace(record, steps=tuple(steps)))
    text = render_markdown([report])
    row = text.splitlines()[5]
    assert "<" not in row
    assert row.count("|") == 5
    assert text.count("\n") == 7
    assert "##vso[" not in text
    render_junit([report]).decode("utf-8")


def _refused(name: str, said: str) -> Sequence[Any]:
    return [StepRecord(name, "refused", {}, said + "::set-output ##vso[ @ann <b>", 3)]


def test_the_worst_code_is_the_one_of_all():
    assert [worst(codes) for codes in ((), (0, 0), (0, 1, 3), (3, 4), (4, 5, 2), (2, 70), (99, 2))] == [
        *(0, 0, 3, 4, 2, 70, 99)
    ]


def test_placeholders_are_filled_once(tmp_path: Path):
    commands = Commands()
    run(parts(commands, tmp_path, use_case="{env}/{version}$(id)"), tmp_path, until="data")
    assert commands.ran[1][1] == "{env}/{version}$(id)"
