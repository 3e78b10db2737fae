"""``import flowyard``: flows as functions, runs, evaluations and experiments from Python."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from functional_helper import EXAMPLE, one_node_flow
from hypothesis import given, settings
from hypothesis import strategies as st

import flowyard
from flowyard.api.frames import frame_of
from flowyard.api.text import cell_text, table_html, table_text
from flowyard.errors import ExperimentInvalid, ExtraMissing, FlowInvalid, LineError, NotFound, UserError

SIMULATION = EXAMPLE / "simulation.yaml"
TRIAGE = EXAMPLE / "flows" / "triage"
TICKETS = EXAMPLE / "data" / "tickets_dev.jsonl"
LENGTH = """\
from promptflow.core import tool


@tool
def work(x: str, factor: int):
    if x == "bad":
        raise ValueError("<b>no</b>\\x1b[31m")
    return len(x) * factor
"""
COUNTER = """\
class Counter:
    def __init__(self, start: int):
        self.start = start

    def __call__(self, x: str) -> int:
        return self.start + len(x)
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWYARD_HOME", str(tmp_path / "home"))


@pytest.fixture
def length(tmp_path: Path) -> Path:
    """A flow that gives the length of ``x``, times ``factor``, and fails for ``bad``."""
    folder = tmp_path / "length"
    folder.mkdir()
    text = one_node_flow({"x": "string"}).replace("    x: ${inputs.x}", "    x: ${inputs.x}\n    factor: 1")
    (folder / "flow.dag.yaml").write_text(text)
    (folder / "work.py").write_text(LENGTH)
    return folder


def counter(folder: Path) -> Path:
    folder.mkdir()
    (folder / "flow.flex.yaml").write_text("entry: counter:Counter\n")
    (folder / "counter.py").write_text(COUNTER)
    return folder


# --- the module


def test_names_are_there_without_being_imported() -> None:
    code = "import flowyard, sys; print(set(flowyard.__all__) <= set(dir(flowyard)), 'flowyard.api' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
    assert all(callable(getattr(flowyard, name)) for name in flowyard.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        flowyard.nonsense  # noqa: B018 - the look-up is what is tested


# --- flows


def test_a_flow_is_a_function_of_its_inputs() -> None:
    with flowyard.load_flow(TRIAGE, variant="classify.few_shot", simulate=SIMULATION) as triage:
        assert triage(subject="", text="My parcel has not arrived.")["category"] == "shipping"
        assert triage.inputs == {"subject": "string", "text": "string"}
        assert triage.chosen == {"classify": "few_shot"}
        assert "classify=few_shot" in repr(triage)
        line = triage.invoke({"subject": "", "text": "My parcel has not arrived."})
    assert [node.node for node in line.nodes] == ["clean", "classify", "parse", "route"]
    assert line.usage.simulated_calls + line.usage.cached_calls == 1


def test_parameters_change_one_value(length: Path) -> None:
    assert flowyard.load_flow(length)(x="four") == {"out": 4}
    changed = flowyard.load_flow(length, parameters={"work.factor": 3})
    assert changed(x="four") == {"out": 12}
    run = flowyard.run(changed, [{"x": "ab"}])
    assert run.lines[0].outputs == {"out": 6}
    assert run.parameters == {"work.factor": 3}


def test_a_class_gets_its_arguments(tmp_path: Path) -> None:
    flow = flowyard.load_flow(counter(tmp_path / "counter"), init={"start": 10})
    assert flow(x="ab") == 12
    assert flowyard.run(flow, [{"x": "abc"}]).lines[0].returned == 13


def test_calls_work_inside_a_running_loop_and_can_be_awaited(length: Path) -> None:
    flow = flowyard.load_flow(length)

    async def both() -> list[Any]:
        awaited = await asyncio.gather(*(flow.call_async(x="a" * size) for size in range(1, 4)))
        return [*awaited, flow(x="blocking")]

    assert asyncio.run(both()) == [{"out": 1}, {"out": 2}, {"out": 3}, {"out": 8}]
    flow.close()
    assert flow(x="again") == {"out": 5}


def test_errors_are_of_flowyard_and_say_the_next_step(length: Path, tmp_path: Path) -> None:
    flow = flowyard.load_flow(length)
    with pytest.raises(UserError, match="Required inputs are missing") as missing:
        flow()
    assert missing.value.hint == "It is called with x=…."
    with pytest.raises(UserError, match="no input 'y'") as unknown:
        flow(x="a", y="b")
    assert unknown.value.hint
    with pytest.raises(LineError, match="Node 'work' failed: ValueError") as failed:
        flow(x="bad")
    assert "work.py" in str(failed.value.where)
    with pytest.raises(UserError):
        flowyard.load_flow(tmp_path / "missing")
    with pytest.raises(UserError, match="two variants of node 'classify'"):
        flowyard.load_flow(TRIAGE, variant="classify.few_shot,classify.zero_shot")
    with pytest.raises(UserError):
        flowyard.load_flow(length, parameters={"nobody.factor": 3})
    (length / "flow.dag.yaml").write_text("nodes: 3\n")
    with pytest.raises(FlowInvalid):
        flowyard.load_flow(length)


def test_inside_of_a_flow_the_outer_flow_answers_for_the_inner_one(length: Path) -> None:
    """Its simulated model, too: a run that costs nothing stays one."""
    code = f"""
import flowyard
from promptflow.core import tool


@tool
def work(x: str):
    inner = flowyard.load_flow({str(TRIAGE)!r})
    return inner(subject="", text=x)["category"]
"""
    (length / "work.py").write_text(code)
    (length / "flow.dag.yaml").write_text(one_node_flow({"x": "string"}))
    run = flowyard.run(length, [{"x": "Cancel my plan."}, {"x": "Where is my parcel?"}], simulate=SIMULATION)
    assert [line.outputs.get("out") for line in run.lines] == ["cancellation", "shipping"], run.failed
    assert run.usage.simulated_calls == 2


# --- runs


def test_a_run_over_rows_has_its_lines_and_failures(length: Path) -> None:
    run = flowyard.run(length, [{"x": "a"}, {"x": "bad"}, {"x": "abc"}], tags={"why": "test"})
    assert (run.status, run.counts.completed, run.counts.failed) == ("completed", 2, 1)
    assert [line.outputs.get("out") for line in run.lines] == [1, None, 3]
    assert [line.line_number for line in run.failed] == [1]
    found = flowyard.load_run(run.name)
    assert found.record == run.record
    assert run.report().read_text("utf-8").startswith("<!doctype html>")
    with pytest.raises(NotFound):
        flowyard.load_run("nobody")


def test_details_are_frames_of_both_libraries(length: Path) -> None:
    run = flowyard.run(length, [{"x": "a"}, {"x": "bad"}])
    pandas, polars = run.details(frame="pandas"), run.details(frame="polars")
    assert list(pandas.columns) == list(polars.columns)
    assert list(polars.columns)[:4] == ["line_number", "status", "inputs.x", "outputs.out"]
    assert polars["outputs.out"].to_list() == [1, None]
    assert pandas["status"].tolist() == ["completed", "failed"]
    assert "ValueError" in pandas["error"][1]
    assert len(run.details(most=1)) == 1
    assert list(run.details().columns) == list(pandas.columns)


def test_without_a_library_the_next_step_is_said(length: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = flowyard.run(length, [{"x": "a"}])
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert type(run.details()).__module__.startswith("polars")
    with pytest.raises(ExtraMissing, match="pandas is not installed") as missing:
        run.details(frame="pandas")
    assert missing.value.hint == "pip install 'flowyard[pandas]'"
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ExtraMissing, match="Neither pandas nor polars"):
        run.details()
    with pytest.raises(UserError, match="'panda' is no kind of data frame"):
        run.details(frame="panda")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["list", "pandas", "polars"])
def test_data_may_be_rows_or_a_frame(length: Path, kind: str) -> None:
    rows = [{"x": "a"}, {"x": "ab"}]
    data = rows if kind == "list" else frame_of(rows, frame=kind)  # type: ignore[arg-type]
    run = flowyard.run(length, data)
    assert [line.outputs["out"] for line in run.lines] == [1, 2]
    assert Path(str(run.record.data)).is_file()


@pytest.mark.parametrize("data", [3, [], [1], {"x": 1}, "missing.jsonl"])
def test_what_is_no_data_is_refused_before_anything_is_written(length: Path, data: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError):
        flowyard.run(length, data)
    assert not (tmp_path / "home" / "runs").exists()


def test_worker_processes_give_the_same(length: Path) -> None:
    here = flowyard.run(length, [{"x": "a"}, {"x": "bad"}])
    there = flowyard.run(length, [{"x": "a"}, {"x": "bad"}], workers=1)
    assert [line.outputs for line in there.lines] == [line.outputs for line in here.lines]
    assert [line.status for line in there.lines] == ["completed", "failed"]


def test_what_a_run_shows_of_itself_is_harmless(length: Path) -> None:
    run = flowyard.run(length, [{"x": "bad"}], name="harmless")
    run.record.metrics["<script>\x1b[31m"] = "<img src=x>\x07"  # type: ignore[index]
    for shown in (repr(run), run._repr_html_()):
        assert "\x1b" not in shown
        assert "\x07" not in shown
    assert "<script>" not in run._repr_html_()
    assert "<img" not in run._repr_html_()
    assert "harmless: completed" in repr(run)


def test_progress_is_told_to_whoever_asks(length: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Seen:
        def __init__(self) -> None:
            self.told: list[str] = []

        def start(self, run: Any, total: int) -> None:
            self.told.append(f"start {total}")

        def line(self, line: Any) -> None:
            self.told.append(line.status)

        def end(self, run: Any) -> None:
            self.told.append(run.status)

    seen = Seen()
    flowyard.run(length, [{"x": "a"}], progress=seen)
    assert seen.told == ["start 1", "completed", "completed"]
    assert capsys.readouterr().err == ""
    flowyard.run(length, [{"x": "a"}], progress=True)
    assert "1 lines" in capsys.readouterr().err
    with pytest.raises(TypeError):
        flowyard.run(length, [{"x": "a"}], progres=True)  # type: ignore[call-arg]


# --- evaluations


def same(answer: str, truth: str) -> dict[str, float]:
    return {"same": float(answer == truth)}


def test_evaluators_over_data_a_target_and_a_run(length: Path) -> None:
    rows = [{"x": "a", "truth": 1}, {"x": "bad", "truth": 2}]
    mapping = {"own": {"answer": "${target.out}", "truth": "${data.truth}"}}
    run = flowyard.run(length, rows)
    over_run = flowyard.evaluate(run, {"own": same}, mappings=mapping)
    over_target = flowyard.evaluate(rows, {"own": same}, mappings=mapping, target=length)
    assert over_run.metrics == over_target.metrics == {"own.same": 1.0}
    assert "failed on 1 of 2 rows" in " ".join(over_run.warnings)
    assert over_run.details(frame="polars")["outputs.own.same"].to_list() == [1.0, None]
    data = flowyard.evaluate([{"answer": "a", "ground_truth": "a"}], {"e": "exact_match"})
    assert data.metrics["e.exact_match"] == 1.0
    assert "e.exact_match" in repr(data)
    assert "<table>" in data._repr_html_()


def test_wrong_evaluations_are_refused(length: Path) -> None:
    run = flowyard.run(length, [{"x": "a"}])
    with pytest.raises(UserError, match="at least one evaluator"):
        flowyard.evaluate(run, {})
    with pytest.raises(UserError, match="leave out target"):
        flowyard.evaluate(run, {"own": same}, target=length)
    with pytest.raises(NotFound, match="exact_mach"):
        flowyard.evaluate(run, {"own": "exact_mach"})
    with pytest.raises(UserError, match="type or python"):
        flowyard.evaluate(run, {"own": {"kind": "exact_match"}})
    with pytest.raises(UserError, match="Missing required inputs"):
        flowyard.evaluate(run, {"own": same})


# --- experiments


@pytest.fixture
def triage(tmp_path: Path) -> Path:
    """The example, whose gates can be written."""
    ignored = shutil.ignore_patterns(".flowyard", "__pycache__")
    return Path(shutil.copytree(EXAMPLE, tmp_path / "triage", ignore=ignored))


def test_an_experiment_is_planned_run_and_decided(triage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = triage / "experiment.yaml"
    before, _, _ = file.read_text("utf-8").partition("\ngates:")
    file.write_text(before + '\ngates: ["accuracy >= 0.6", "error_rate <= 0.5"]\n', "utf-8")
    experiment = flowyard.Experiment(triage, env="dev")
    assert "tickets_dev" in repr(experiment)
    plan = experiment.plan()
    assert "2 runs, about 48 model calls" in repr(plan)
    assert plan.details(frame="polars")["lines"].to_list() == [24, 24]

    result = experiment.run()
    assert result.verdict in ("pass", "inconclusive")
    assert {gate.gate for gate in result.gates}
    assert result.evidence is not None
    metrics = result.metrics(frame="polars")
    assert metrics["version"].to_list() == ["classify=zero_shot", "classify=few_shot"]
    assert result.best("accuracy").variant == {"classify": "few_shot"}
    assert result.best("latency_p50_ms").status == "completed"
    differences = result.differences(frame="pandas")
    assert set(differences["baseline"]) == {"classify=zero_shot"}
    estimates = result.estimates(frame="polars")
    assert (estimates["low"].drop_nulls() <= estimates["value"].max()).all()
    assert len(result.details()) == 48
    assert len(result.failed()) == 0
    assert result.report is not None
    assert result.report.is_file()
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert result.open_report() == result.report
    assert opened == [result.report.as_uri()]
    assert str(result.verdict) in repr(result)
    assert "accuracy" in result._repr_html_()
    with pytest.raises(UserError, match="no metric 'acuracy'"):
        result.best("acuracy")
    with pytest.raises(UserError, match="no dataset 'tickets'"):
        result.best("accuracy", dataset="tickets")


def test_a_gate_that_says_no_is_a_value(triage: Path) -> None:
    file = triage / "experiment.yaml"
    before, _, _ = file.read_text("utf-8").partition("\ngates:")
    file.write_text(before + '\ngates: ["accuracy >= 0.999"]\n', "utf-8")
    experiment = flowyard.Experiment(triage, env="dev")
    result = experiment.run(variants="defaults")
    assert result.verdict == "fail"
    assert [gate.verdict for gate in result.gates] == ["fail"]
    assert experiment.run(variants="defaults", gates=False).verdict is None


def test_an_execution_that_was_stopped_goes_on(triage: Path) -> None:
    experiment = flowyard.Experiment(triage, env="dev")
    stopped = experiment.run(max_tokens=1)
    assert not stopped.record.is_finished
    before = {run.name: run.lines.completed for run in stopped.record.runs}
    with pytest.raises(UserError, match="another experiment") as other:
        flowyard.Experiment(triage).resume(stopped.key)
    assert "env='dev'" in str(other.value.hint)
    whole = experiment.resume(stopped.key)
    assert whole.key == stopped.key
    assert whole.record.is_finished
    assert before.keys() < {run.name for run in whole.record.runs}
    assert {run.lines.completed for run in whole.record.runs} == {24}
    with (triage / "flows" / "triage" / "flow.dag.yaml").open("a") as file:
        file.write("# changed\n")
    with pytest.raises(UserError, match="this changed"):
        experiment.resume(stopped.key)
    assert any("this changed" in each for each in experiment.resume(stopped.key, anyway=True).warnings)


def test_several_datasets_need_a_name(triage: Path) -> None:
    result = flowyard.Experiment(triage).run(variants="defaults")
    with pytest.raises(UserError, match="several datasets") as several:
        result.best("accuracy")
    assert "tickets_dev" in str(several.value.hint)
    assert set(result.failed(frame="polars")["dataset"]) == {"tickets"}
    assert len(result.evaluations) == 2


def test_what_is_wrong_with_an_experiment_is_said_at_once(tmp_path: Path, triage: Path) -> None:
    with pytest.raises(UserError, match="not found"):
        flowyard.Experiment(tmp_path / "nowhere")
    (triage / "experiment.yaml").write_text("name: x\n")
    with pytest.raises(ExperimentInvalid, match="'datasets' is required"):
        flowyard.Experiment(triage)


# --- what is shown

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.lists(VALUES, min_size=1, max_size=4))
def test_any_values_make_a_frame(values: list[Any]) -> None:
    rows = [{"column": value} for value in values]
    assert frame_of(rows, frame="polars").height == len(rows)
    assert len(frame_of(rows, frame="pandas")) == len(rows)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(VALUES, st.text(max_size=80))
def test_any_value_is_shown_on_one_line_without_markup(value: Any, text: str) -> None:
    assert cell_text(value).isprintable()
    assert len(cell_text(text)) <= 60
    assert len(table_text((text,), [(value,)]).splitlines()) <= 2
    shown = table_html((f"<{text}>",), [(value,)], caption=text)
    assert shown.count("<") == shown.count(">")
