"""Evaluators of all kinds, in experiments and over runs that there are."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from functional_helper import RULES, Project, failed_numbers, flowyard, one_node_flow, read_jsonl, runs_of

ROWS = [
    {"x": "red", "colour": "red"},
    {"x": "blue", "colour": "red"},
    {"x": "green", "colour": "green"},
    {"x": "blue", "colour": None},
]
FAILS_ON_BLUE = """\
from promptflow.core import tool


@tool
def work(x: str):
    if x == "blue":
        raise ValueError("I cannot see blue")
    return x
"""
WORDS = """\
from letters import how_many


def score(text: str, maximum: int = 4) -> dict:
    return {"letters": how_many(text), "short": how_many(text) <= maximum}


async def bare(text: str):
    return len(text)


class Times:
    def __init__(self, factor: int):
        self.factor = factor

    def __call__(self, text: str):
        return {"times": len(text) * self.factor}

    def __aggregate__(self, rows):
        return {"sum": sum(row["times"] for row in rows)}
"""
AGGREGATES = """\
def score(text: str):
    return {"letters": len(text)}


def aggregate(rows):
    return {"longest": max(row["letters"] for row in rows)}
"""
TEMPLATE = """\
import json
import os

from promptflow.client import PFClient


def eval_written(run, data, mappings, report_dir):
    details = PFClient().get_details(run)
    with open(os.path.join(report_dir, f"{run}.json"), "w") as file:
        json.dump({"rows": [], "metrics": {"seen": len(details), "mapped": len(mappings)}}, file)


def eval_returned(run, data, mappings, report_dir, azure_ai_project):
    return {"rows": sum(1 for _ in open(data)), "azure": azure_ai_project is not None}


def helper():
    raise AssertionError
"""


def evaluators(*blocks: str) -> str:
    """An experiment over one dataset with evaluators, each as the lines between its name and its datasets."""
    lines = ["name: colours", "flow: echo", "datasets:"]
    lines += ['- {name: rows, source: rows.jsonl, mappings: {x: "${data.x}"}}', "evaluators:"]
    return "\n".join([*lines, *blocks]) + "\n"


def block(name: str, what: str, mappings: str) -> str:
    return f"- name: {name}\n  {what}\n  datasets: [{{name: rows, mappings: {{{mappings}}}}}]"


MATCH = 'answer: "${run.outputs.out}", ground_truth: "${data.colour}"'
TEXT = 'text: "${target.out}"'


@pytest.fixture
def colours(project: Project) -> Project:
    project.echo_flow()
    project.jsonl("rows.jsonl", ROWS)
    project.write("judges/words.py", WORDS)
    project.write("judges/letters.py", "def how_many(text):\n    return len(text)\n")
    project.write("judges/longest.py", AGGREGATES)
    return project


def judged(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The evaluation runs by what judged."""
    found = [run for run in runs_of(result) if run.get("evaluator")]
    return {str(next(iter(run["properties"]["evaluator"].values()))).rpartition("/")[2]: run for run in found}


def test_types_and_python_in_an_experiment(colours: Project):
    yaml = evaluators(
        block("exact", "type: exact_match", MATCH),
        block("classes", "type: classification", MATCH),
        block("red", "type: contains\n  options: {expected: RED, ignore_case: true}", 'answer: "${target.out}"'),
        block("time", "type: latency", ""),
        block("tokens", "type: tokens", ""),
        block("pattern", "type: regex\n  options: {pattern: 'e.$'}", 'answer: "${run.outputs.out}"'),
        block("words", "python: judges/words.py:score\n  options: {maximum: 3}", TEXT),
        block("bare", "python: judges/words.py:bare", TEXT),
        block("times", "python: judges/words.py:Times\n  options: {factor: 10}", TEXT),
        block("longest", "python: judges/longest.py:score", TEXT),
    )
    colours.write("experiment.yaml", yaml)
    runs = judged(colours.json("experiment", "run", ".", code=1))  # the expected colour of one line is null
    assert runs["exact_match"]["metrics"] == {"exact_match": pytest.approx(2 / 3)}
    assert runs["exact_match"]["lines"] == {"total": 4, "completed": 3, "failed": 1}
    lines = colours.lines(runs["exact_match"])
    assert failed_numbers(lines) == [3]
    assert lines[3]["error"]["message"] == "There is no expected value: 'ground_truth' is null."
    assert [line["outputs"].get("exact_match") for line in lines] == [1, 0, 1, None]
    report = runs["classification"]["metrics"]
    assert report["accuracy"] == pytest.approx(2 / 3)
    assert report["confusion_matrix"] == {
        "labels": ["blue", "green", "red"],
        "counts": [[0, 0, 0], [0, 1, 0], [1, 0, 1]],
    }
    assert runs["contains"]["metrics"] == {"contains": 0.25}
    assert runs["latency"]["metrics"]["latency_p95_ms"] >= runs["latency"]["metrics"]["latency_p50_ms"] > 0
    assert runs["tokens"]["metrics"]["total_tokens"] == 0
    assert runs["regex"]["metrics"] == {"regex": 0.5}
    assert runs["words.py:score"]["metrics"] == {"letters": 4, "short": 0.25}
    assert runs["words.py:bare"]["metrics"] == {"output": 4}
    assert runs["words.py:Times"]["metrics"] == {"sum": 160}
    assert runs["longest.py:score"]["metrics"] == {"longest": 5}


def test_every_mistake_is_told_with_its_line_before_anything_runs(colours: Project):
    yaml = evaluators(
        block("one", "type: exactmatch", MATCH),
        block("two", "type: exact_match\n  options: {ignorecase: true}", MATCH),
        block("three", "type: regex", MATCH),
        block("four", "python: judges/words.py:scores", TEXT),
        block("five", "python: judges/wrds.py:score", TEXT),
        block("six", "python: judges/words.py", TEXT),
        block("seven", "python: judges/words.py:score\n  options: {maximun: 3}", TEXT),
    )
    colours.write("experiment.yaml", yaml)
    said = colours.run("experiment", "run", ".", code=2).stderr
    for expected in (
        "experiment.yaml:6: There is no evaluator of type 'exactmatch'",
        "Did you mean 'exact_match'?",
        "takes no option 'ignorecase'",
        "needs the option 'pattern'",
        "has no function or class 'scores'",
        "There is no file 'judges/wrds.py'",
        "'judges/words.py' names no Python function",
        "takes no option 'maximun'",
    ):
        assert expected in said
    assert not colours.home.exists()


def test_a_mapping_that_does_not_fit_a_type_is_told_before_anything_runs(colours: Project):
    colours.write("experiment.yaml", evaluators(block("one", "type: exact_match", 'answer: "${run.outputs.out}"')))
    said = colours.rejected("experiment", "run", ".")
    assert "ground_truth" in said


def test_results_of_a_templates_evaluators_are_in_the_reports(colours: Project):
    """Defect 14 of the template: what its ``eval_*.py`` found was in no report."""
    colours.write("nlp/eval_colours.py", TEMPLATE)
    colours.write("experiment.yaml", evaluators(block("nlp", "flow: nlp", 'answer: "${target.out}"')))
    result = colours.json("experiment", "run", ".")
    run = judged(result)["nlp"]
    assert run["metrics"] == {"rows": 4, "azure": 0, "seen": 4, "mapped": 1}
    metrics = next(Path(file) for file in _files(result) if Path(file).name == "metrics.csv")
    header, *rows = csv.reader(metrics.read_text("utf-8").splitlines())
    found = {
        name for name in ("seen", "mapped", "rows") if any(name in cell for row in [header, *rows] for cell in row)
    }
    assert found == {"seen", "mapped", "rows"}


def _files(result: dict[str, Any]) -> list[str]:
    """The reports of an experiment, as a list or by kind."""
    reports = result["reports"]
    if isinstance(reports, list):
        return reports
    return [file for each in reports.values() for file in (each if isinstance(each, list) else [each])]


def test_a_template_evaluator_without_results_says_what_to_do(colours: Project):
    colours.write("nlp/eval_nothing.py", "def eval_nothing(run, data, mappings, report_dir):\n    pass\n")
    colours.write("experiment.yaml", evaluators(block("nlp", "flow: nlp", "")))
    run = judged(colours.json("experiment", "run", ".", code=1))["nlp"]
    assert "returned no numbers and wrote no JSON" in colours.lines(run)[0]["error"]["message"]
    colours.write("nlp/eval_nothing.py", "x = 1\n")
    said = colours.run("experiment", "run", ".", code=2).stderr
    assert "no function 'eval_…'" in said


def test_lines_that_failed_are_counted_beside_the_score(colours: Project):
    """Defect 15 of the template: a flow that fails on hard lines looked better, and nothing said so."""
    colours.flow("echo", one_node_flow({"x": "string"}), work_py=FAILS_ON_BLUE)
    colours.jsonl("rows.jsonl", ROWS[:3])
    judge = block("exact", "type: exact_match", MATCH)
    colours.write("experiment.yaml", evaluators(judge, "gates: ['exact_match >= 0.9']", "inconclusive: pass"))
    result = colours.json("experiment", "run", ".", "--max-failed-lines", "1", code=3)
    run = judged(result)["exact_match"]
    assert result["runs"][0]["lines"] == {"total": 3, "completed": 2, "failed": 1}
    assert run["metrics"] == {"exact_match": 1}  # of the two lines that it could judge
    (gate,) = result["gates"]
    assert gate["value"] == pytest.approx(2 / 3)  # the line that failed counts as wrong
    assert gate["verdict"] != "pass"
    page = next(Path(file) for file in _files(result) if Path(file).suffix == ".html")
    assert "I cannot see blue" in page.read_text("utf-8")


def test_a_run_is_judged_again_by_several_evaluators(colours: Project):
    base = colours.json("run", "create", "--flow", "echo", "--data", "rows.jsonl", "--column-mapping", "x=${data.x}")
    mapping = ["answer=${run.outputs.out}", "ground_truth=${data.colour}", "text=${run.outputs.out}"]
    result = colours.json(
        *("evaluation", "create", "--run", base["name"], "--type", "exact_match", "edit_distance"),
        *("--python", "judges/words.py:score", "--options", "exact_match.ignore_case=true", "score.maximum=3"),
        *("--column-mapping", *mapping),
        code=1,
    )
    assert result["run"] == base["name"]
    metrics = {each["evaluator"]: each["metrics"] for each in result["evaluations"]}
    assert metrics["exact_match"] == {"exact_match": pytest.approx(2 / 3)}
    assert metrics["score"] == {"letters": 4, "short": 0.25}
    assert all(each["base_run"] == base["name"] for each in result["evaluations"])
    options = {each["evaluator"]: each["properties"]["evaluator"]["options"] for each in result["evaluations"]}
    assert options == {"exact_match": {"ignore_case": True}, "edit_distance": {}, "score": {"maximum": 3}}


def test_judging_again_wrongly(colours: Project):
    base = colours.json("run", "create", "--flow", "echo", "--data", "rows.jsonl", "--column-mapping", "x=${data.x}")
    mistakes = {
        "There is no evaluator.": [],
        "Whose options are 'x'?": ["--type", "exact_match", "f1", "--options", "x=1"],
        "--name is for one evaluator": ["--type", "exact_match", "f1", "--name", "n"],
        "is named twice": ["--type", "exact_match", "exact_match"],
        "takes no options": ["--flow", "echo", "--options", "x=1"],
        "No evaluator has an input 'anser'": ["--type", "f1", "latency", "--column-mapping", "anser=${data.x}"],
    }
    for said, words in mistakes.items():
        assert said in colours.run("evaluation", "create", "--run", base["name"], *words, code=2).stderr


def test_an_evaluation_goes_on_by_what_its_record_says(colours: Project):
    base = colours.json("run", "create", "--flow", "echo", "--data", "rows.jsonl", "--column-mapping", "x=${data.x}")
    first = colours.json(
        *("evaluation", "create", "--run", base["name"], "--python", "judges/words.py:Times", "--options", "factor=10"),
        *("--column-mapping", "text=${run.outputs.out}", "-n", "judged"),
    )["evaluations"][0]
    assert first["metrics"] == {"sum": 160}
    stored = Path(first["path"]) / "lines.jsonl"
    kept = stored.read_bytes().splitlines(keepends=True)[:2]
    stored.write_bytes(b"".join(kept))
    again = colours.json("run", "resume", "judged")
    assert again["metrics"] == {"sum": 160}
    assert again["lines"]["completed"] == 4
    assert len(read_jsonl(stored)) == 4
    new = colours.json("run", "create", "--resume-from", "judged", "-n", "other")
    assert new["metrics"] == {"sum": 160}


def test_options_that_may_be_secret_are_not_stored(colours: Project):
    colours.write(
        "judges/asks.py",
        "class Asks:\n    def __init__(self, **options):\n        pass\n\n"
        "    def __call__(self, text: str):\n        return 1\n",
    )
    base = colours.json("run", "create", "--flow", "echo", "--data", "rows.jsonl", "--column-mapping", "x=${data.x}")
    colours.run(
        *("evaluation", "create", "--run", base["name"], "--python", "judges/asks.py:Asks"),
        *("--options", "api_key=hunter2hunter2", "--column-mapping", "text=${run.outputs.out}", "-n", "judged"),
    )
    files = [file for file in colours.home.rglob("*") if file.is_file()]
    assert not [file for file in files if b"hunter2" in file.read_bytes()]
    done = colours.run("run", "resume", "judged", code=2)
    assert "were not kept" in done.stderr


def test_similarity_of_embeddings_by_a_connection(colours: Project):
    colours.write("rules.yaml", RULES)
    colours.write("connections/vectors.yaml", "name: vectors\ntype: simulated\nrules: ../rules.yaml\n")
    base = colours.json("run", "create", "--flow", "echo", "--data", "rows.jsonl", "--column-mapping", "x=${data.x}")
    words = ("evaluation", "create", "--run", base["name"], "--type", "embedding_similarity", "--options")
    mapping = ("--column-mapping", "answer=${run.outputs.out}", "ground_truth=${data.x}")
    run = colours.json(*words, "connection=vectors", *mapping)["evaluations"][0]
    assert run["metrics"] == {"embedding_similarity": pytest.approx(1)}
    assert run["usage"]["calls"] + run["usage"]["cached_calls"] == 4
    assert "vctors" in colours.run(*words, "connection=vctors", *mapping, code=2).stderr


def test_the_catalogue_is_shown(project: Project):
    listed = json.loads(project_run(project, "evaluator", "list", "--json"))
    assert {"exact_match", "classification", "latency"} <= {each["name"] for each in listed}
    shown = json.loads(project_run(project, "evaluator", "show", "regex", "--json"))
    pattern = shown["options"][0]
    assert (pattern["name"], pattern["needed"], pattern["default"]) == ("pattern", True, None)
    assert "confusion_matrix" in project_run(project, "evaluator", "show", "classification")
    assert "exact_match" in project_run(project, "evaluator", "list")


def project_run(project: Project, *args: str) -> str:
    """The output of a command that has no home."""
    done = flowyard(*args, cwd=project.root)
    assert done.returncode == 0, done.stderr
    return done.stdout
