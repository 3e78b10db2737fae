"""``flowyard experiment run`` with gates, races and baselines, as a pipeline would use it."""

from __future__ import annotations

import html
import json
from contextlib import ExitStack
from pathlib import Path

import pytest
from functional_helper import Project, ending, start_flowyard
from solving_experiment import BETTER, EXPERIMENT, decided, solving, verdicts


def test_what_machines_get(project: Project):
    solving(project, plain=(8, 99), clever=(10, 99))
    result = decided(project, f"gates:\n- accuracy >= 0.7\n- {BETTER}\n")
    assert result["name"] == "solving"
    plain, clever = result["runs"]
    assert (plain["dataset"], plain["variant"], clever["variant"]) == ("questions", "solve=plain", "solve=clever")
    assert plain["evaluations"][0]["evaluator"] == "grader"
    assert plain["evaluations"][0]["metrics"] == {"accuracy": 0.8}
    assert result["verdict"] == "pass"
    first, second = result["gates"]
    assert (first["gate"], first["variant"], first["value"]) == ("accuracy >= 0.7", "solve=plain", 0.8)
    assert (second["variant"], second["value"]) == ("solve=clever", pytest.approx(0.2))
    assert 0 < second["p_value"] < 0.05
    assert set(result["usage"]) == {"model_calls", "cached_calls", "tokens", "cost_usd"}
    assert {"html", "junit", "markdown", "csv"} <= set(result["reports"])
    assert all(Path(result["reports"][name]).is_file() for name in ("html", "junit", "markdown"))


@pytest.mark.parametrize(
    ("blocks", "code", "verdict"),
    [
        ("gates: ['accuracy >= 0.7']\n", 0, "pass"),
        ("gates: ['accuracy >= 0.9']\n", 3, "fail"),
        ("gates: ['accurcy >= 0.1']\n", 3, "fail"),
        ("gates:\n- {metric: accuracy, at_least: 0.75, confidence: 0.95}\n", 3, "inconclusive"),
        ("gates:\n- {metric: accuracy, at_least: 0.75, confidence: 0.95}\ninconclusive: pass\n", 0, "inconclusive"),
        ("gates: ['accuracy >= 0.9']\ninconclusive: pass\n", 3, "fail"),
        ("gates:\n- {metric: accuracy, at_least: 0.9, slice: {half: 1}}\n", 3, "fail"),
        ("gates:\n- {metric: accuracy, at_least: 0.75, slice: {half: 0}}\n", 0, "pass"),
        ("", 0, None),
    ],
)
def test_defect_16_gates_decide_the_exit_code(project: Project, blocks: str, code: int, verdict: str | None):
    """Nothing failed the template's pipeline on bad metrics."""
    solving(project, plain=(8, 99))
    assert decided(project, blocks, code=code)["verdict"] == verdict


def test_gates_win_over_failed_lines_and_can_be_left_out(project: Project):
    solving(project, plain=(8, 9))
    gates = "gates: ['accuracy >= 0.9']\n"
    assert decided(project, gates, code=3)["runs"][0]["lines"]["failed"] == 4
    assert decided(project, gates, "--no-gates", code=1)["verdict"] is None
    assert decided(project, gates, "--no-gates", "--max-failed-lines", "4")["gates"] == []
    assert decided(project, "gates: ['accuracy >= 0.5']\n", code=1)["verdict"] == "pass"


def test_defect_15_failing_on_hard_lines_does_not_help(project: Project):
    """Both are right on 32 of 40 lines; the one that fails on the others has the better mean of what it completed."""
    solving(project, plain=(8, 99), crashing=(8, 8))
    result = decided(project, f"gates:\n- accuracy >= 0.79\n- {BETTER}\n", "--max-failed-lines", "8", code=3)
    plain, crashing = (run["evaluations"][0]["metrics"]["accuracy"] for run in result["runs"])
    assert (plain, crashing) == (0.8, 1.0)
    absolute, relative = result["gates"]
    assert absolute["verdict"] == "pass"
    assert (relative["variant"], relative["value"], relative["verdict"]) == ("solve=crashing", 0.0, "inconclusive")


def test_defect_13_the_terminal_says_who_won_by_how_much_and_how_sure_that_is(project: Project):
    solving(project, plain=(5, 99), clever=(9, 99))
    project.write("experiment.yaml", EXPERIMENT + f"gates:\n- accuracy >= 0.9\n- {BETTER}\n")
    done = project.run("experiment", "run", ".", code=3)
    told = done.stdout[done.stdout.index("Gates") :]
    said = " ".join(told.split())
    assert "pass accuracy better than baseline" in said
    assert "accuracy is 0.4 above solve=plain (95 % interval" in said
    assert "16 won, 0 lost; McNemar mid-p, p = " in said
    assert "fail accuracy >= 0.9" in said
    assert "Of 2: 1 passed, 1 failed." in said
    gates = told[: told.index("Of 2:")]
    assert max(map(len, gates.splitlines())) <= 80


def test_mistakes_are_said_before_anything_is_run(project: Project):
    solving(project, plain=(8, 99))
    gates = "gates:\n- accuracy => 0.9\nbaseline: {rnu: x}\nracing: {alpha: 3}\n"
    project.write("experiment.yaml", EXPERIMENT + gates)
    line = len(EXPERIMENT.splitlines()) + 2
    said = project.rejected("experiment", "run", ".")
    assert f"experiment.yaml:{line}:" in said
    assert "It knows >=, <=, > and <." in said
    assert "Did you mean 'run'?" in said
    project.write("experiment.yaml", EXPERIMENT + "racing: {alpha: 3}\n")
    assert "'alpha'" in project.rejected("experiment", "run", ".")


def test_a_stored_experiment_is_judged_again(project: Project):
    solving(project, plain=(8, 99))
    first = decided(project, "gates: ['accuracy >= 0.7']\n")
    again = project.json("experiment", "gate", first["key"])
    assert [{**gate, "where": ""} for gate in again["gates"]] == [{**gate, "where": ""} for gate in first["gates"]]
    project.write("strict.yaml", "- accuracy >= 0.95\n")
    strict = project.json("experiment", "gate", "solving", "--gates", "strict.yaml", code=3)
    assert (strict["key"], strict["verdict"]) == (first["key"], "fail")
    record = json.loads((Path(first["path"]) / "experiment.json").read_text(encoding="utf-8"))
    assert record["verdict"] == "fail"
    project.write("wrong.yaml", "gates:\n- accuracy => 1\n")
    said = project.run("experiment", "gate", "solving", "--gates", "wrong.yaml", code=2).stderr
    assert "wrong.yaml:2" in said
    assert len(project.json("run", "list")) == 2


def test_two_that_judge_at_once_do_not_mix_their_reports(project: Project):
    solving(project, plain=(8, 99))
    result = decided(project, "gates: ['accuracy >= 0.1']\n")
    folder = Path(result["path"])
    numbers = ("0.2", "0.3", "0.4")
    for number in numbers:
        project.write(f"gates_{number}.yaml", f"gates: ['accuracy >= {number}']\n")
    with ExitStack() as stack:
        words = ("experiment", "gate", "solving", "--home", project.home, "--gates")
        started = [start_flowyard(*words, f"gates_{number}.yaml", cwd=project.root) for number in numbers]
        judging = [stack.enter_context(ending(process)) for process in started]
        assert [process.wait(timeout=120) for process in judging] == [0, 0, 0]
    said = {gate["gate"] for gate in json.loads((folder / "experiment.json").read_text())["gates"]}
    assert said < {f"accuracy >= {number}" for number in numbers}
    (gate,) = said
    for name in ("report.md", "report.junit.xml", "report.json", "gates.csv"):
        text = html.unescape((folder / name).read_text()).replace("\\", "")
        assert gate in text, name
        assert not [n for n in numbers if n not in gate and f"accuracy >= {n}" in text], name


def test_an_experiment_without_gates_cannot_be_judged(project: Project):
    solving(project, plain=(8, 99))
    decided(project, "")
    assert "--gates FILE" in project.run("experiment", "gate", "solving", code=2).stderr


def test_a_run_of_before_is_the_baseline(project: Project):
    solving(project, plain=(6, 99))
    before = decided(project, "")["runs"][0]["name"]
    solving(project, plain=(9, 99))
    blocks = f"baseline: {{run: {before}}}\ngates:\n- {BETTER}\n"
    result = decided(project, blocks)
    (gate,) = result["gates"]
    assert (gate["variant"], gate["value"], gate["verdict"]) == ("solve=plain", pytest.approx(0.3), "pass")
    assert result["baseline"] == f"run {before}"
    project.jsonl("data.jsonl", [{"question": "q", "level": 1, "expected": "Q"}])
    other = decided(project, blocks, code=3)
    assert verdicts(other) == ["fail"]
    assert "ran over other data" in " ".join(other["warnings"])


def test_a_baseline_that_is_not_there_is_said_before_anything_is_run(project: Project):
    solving(project, plain=(6, 99))
    project.write("experiment.yaml", EXPERIMENT + "baseline: {run: nightly}\n")
    said = project.run("experiment", "run", ".", code=2).stderr
    assert "There is no run 'nightly'" in said
    assert project.json("run", "list") == []


RACE = """\
racing: {metric: accuracy, min_lines: 20}
gates:
- accuracy >= 0.7
- {metric: accuracy, better_than: baseline, variant: clever}
"""


def test_a_race_spares_lines_and_decides_the_same(project: Project):
    solving(project, lines=200, plain=(8, 99), bad=(2, 99), clever=(10, 99), worse=(1, 99))
    whole = decided(project, RACE.partition("\n")[2])
    raced = decided(project, RACE)
    assert verdicts(raced) == verdicts(whole) == ["pass", "pass"]
    assert [gate["value"] for gate in raced["gates"]] == [gate["value"] for gate in whole["gates"]]
    (race,) = raced["races"]
    assert set(race["dropped"]) == {"solve=bad", "solve=worse"}
    assert (race["metric"], race["lines"]) == ("accuracy", 200)
    lines = {run["variant"]: run["lines"]["completed"] for run in raced["runs"]}
    assert lines["solve=plain"] == lines["solve=clever"] == 200
    assert lines["solve=bad"] < 200
    assert race["spared"]["lines"] == 400 - lines["solve=bad"] - lines["solve=worse"]
    for drop in race["drops"]:
        assert drop["after_lines"] == lines[drop["version"]]
        assert drop["p_value"] <= race["alpha"]
    assert [run["evaluations"][0]["lines"]["total"] for run in raced["runs"]] == [
        run["lines"]["total"] for run in raced["runs"]
    ]
    assert not any(run["warnings"] for run in raced["runs"])


def test_a_race_counts_failed_lines_by_the_rule(project: Project):
    solving(project, lines=200, plain=(9, 99), crashing=(9, 3))
    (race,) = decided(project, "racing: true\n", "--max-failed-lines", "200")["races"]
    assert race["dropped"] == ["solve=crashing"]


def test_a_race_without_a_metric_by_line_says_so(project: Project):
    solving(project, plain=(8, 99), clever=(10, 99))
    (race,) = decided(project, "racing: {metric: latency_mean_ms, min_lines: 10}\n")["races"]
    assert race["dropped"] == []
    assert "has no bounds" in race["note"]


HARD_SCORES = """\
def score(answer: str) -> dict:
    return {
        "nan": float("nan"), "infinite": float("inf"), "whole": 10**400, "large": 1e308, "negative": -1e308,
        "square": 1e200, "tiny": 5e-324, "equal": 1e17, "mixed": "no" if answer == "?" else 2,
    }
"""


def test_scores_that_no_float_can_sum_up_leave_an_experiment_with_its_reports(project: Project):
    solving(project, lines=4, plain=(3, 99), broken=(0, 0))
    project.write("hard.py", HARD_SCORES)
    project.write(
        "experiment.yaml",
        EXPERIMENT.replace("  flow: grader\n", "  python: hard.py:score\n").replace(
            ', expected: "${data.expected}"', ""
        )
        + "gates: [large >= 0, equal >= 1e17]\n",
    )
    result = project.json("experiment", "run", ".", code=3)
    assert verdicts(result) == ["fail", "pass"]
    assert "'large' was not measured" in result["gates"][0]["reason"]
    assert Path(result["reports"]["html"]).stat().st_size > 0


def test_a_metric_that_is_not_where_the_file_says_is_not_taken_from_elsewhere(project: Project):
    """The evaluator logs an accuracy of 0.8; the file asks for another, from an output that is not there."""
    solving(project, plain=(8, 99))
    blocks = "metrics: {accuracy: {from: grdae, equals: Correct}}\ngates: [accuracy >= 0.5]\n"
    result = decided(project, blocks, code=3)
    assert verdicts(result) == ["fail"]
    assert "'accuracy' was not measured" in result["gates"][0]["reason"]


@pytest.mark.parametrize(
    ("block", "hint"),
    [("baseline: 3", "{run: NAME}"), ("racing: perhaps", "{metric: accuracy"), ("cache: [1]", "on, off or refresh")],
)
def test_a_block_of_the_wrong_form_is_told_once_with_the_right_one(project: Project, block: str, hint: str):
    solving(project, plain=(8, 99))
    project.write("experiment.yaml", f"{EXPERIMENT}{block}\n")
    said = project.rejected("experiment", "run", ".", "--dry-run")
    assert said.count("has the wrong form") == 1
    assert hint in said
    assert "input should be" not in said
