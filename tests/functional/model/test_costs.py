"""What calls cost: in records, in what is printed, in the report; and budgets that stop a run."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import pytest
from functional_helper import ASK_FLOW, ASK_TEMPLATE, RULES, Project
from limited_server import LimitedServer, answered, limited_server

ONE_CALL = (100 * 2.5 + 10 * 10) / 1e6
"""Dollars of a call of gpt-4o with 100 + 10 tokens."""


@pytest.fixture
def asking(project: Project) -> Project:
    project.flow("ask", ASK_FLOW, ask_jinja2=ASK_TEMPLATE)
    project.jsonl("data.jsonl", [{"question": f"q{row}"} for row in range(10)])
    return project


def create(project: Project, server: LimitedServer, *options: str, code: int = 0) -> Any:
    words = ("run", "create", "--flow", "ask", "--data", "data.jsonl", *options)
    return project.json(*words, code=code, env={"MY_MODEL_BASE_URL": server.url})


def test_a_run_knows_what_it_cost(asking: Project) -> None:
    with limited_server() as server:
        run = create(asking, server)
    assert run["usage"]["cost_usd"] == pytest.approx(10 * ONE_CALL)
    assert run["usage"]["unpriced_calls"] == 0
    for line in asking.lines(run):
        assert line["usage"]["cost_usd"] == line["nodes"][0]["usage"]["cost_usd"] == pytest.approx(ONE_CALL)
    shown = asking.run("run", "show", "-n", run["name"]).stdout
    assert "Cost:      $0.0035" in shown


def test_calls_without_a_price_are_said(asking: Project) -> None:
    def behave(number: int, body: dict[str, Any]) -> Any:
        return answered("llama") if number % 2 else None

    with limited_server(behave) as server:
        env = {"MY_MODEL_BASE_URL": server.url}
        done = asking.run("run", "create", "--flow", "ask", "--data", "data.jsonl", "--name", "r", env=env)
    run = asking.json("run", "show", "-n", "r")
    assert run["usage"]["unpriced_calls"] == 5
    assert run["usage"]["cost_usd"] == pytest.approx(5 * ONE_CALL)
    for text in (done.stdout, done.stderr):
        assert "$0.0017, 5 calls without a known price" in text or "$0.0018, 5 calls without a known price" in text


@pytest.mark.parametrize("place", ["project", "home", "option"])
def test_a_table_of_ones_own_goes_over_ours(asking: Project, place: str, tmp_path: Path) -> None:
    text = "models:\n  small: {prompt: 1000, completion: 0}\n"
    asking.write("pyproject.toml", "")
    file = {"project": asking.root, "home": asking.home, "option": tmp_path}[place] / "prices.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    with limited_server() as server:
        run = create(asking, server, *(["--prices", str(file)] if place == "option" else []))
    assert run["usage"]["cost_usd"] == pytest.approx(10 * 0.1)


def test_a_simulated_model_costs_nothing_and_needs_no_price(asking: Project) -> None:
    asking.write("rules.yaml", RULES)
    run = asking.json("run", "create", "--flow", "ask", "--data", "data.jsonl", "--simulate", "rules.yaml")
    assert (run["usage"]["cost_usd"], run["usage"]["unpriced_calls"]) == (0, 0)
    assert "Cost" not in asking.run("run", "show", "-n", run["name"]).stdout


def test_prices_can_be_looked_up(project: Project) -> None:
    listed = project.json("price", "list")
    shown = project.json("price", "show", "gpt-4o-2024-08-06")
    assert shown in listed
    assert (shown["model"], shown["prompt"], shown["completion"]) == ("gpt-4o", 2.5, 10)
    assert shown["as_of"] in project.run("price", "list").stdout
    wrong = project.run("price", "show", "gpt-4oo", code=2).stderr
    assert "Did you mean 'gpt-4o'?" in wrong
    assert "prices.yaml" in wrong


def test_wrong_tables_and_budgets_are_refused_before_anything_runs(asking: Project) -> None:
    asking.write("wrong.yaml", "models: {a: {promt: 1}}\n")
    words = ("run", "create", "--flow", "ask", "--data", "data.jsonl")
    assert "wrong.yaml" in asking.rejected(*words, "--prices", "wrong.yaml")
    assert "--max-cost" in asking.rejected(*words, "--max-cost", "-1")
    assert "--max-tokens" in asking.rejected(*words, "--max-tokens", "0")


@pytest.mark.parametrize("limit", [("--max-tokens", "330"), ("--max-cost", str(2.5 * ONE_CALL))])
def test_a_budget_stops_a_run_which_can_go_on(asking: Project, limit: tuple[str, str]) -> None:
    rows = 60
    asking.jsonl("data.jsonl", [{"question": f"q{row}"} for row in range(rows)])
    slowly = lambda number, body: time.sleep(0.05)  # noqa: E731 - so that few lines are under way
    with limited_server(slowly) as server:
        words = ("run", "create", "--flow", "ask", "--data", "data.jsonl", "--name", "r", *limit)
        env = {"MY_MODEL_BASE_URL": server.url}
        done = asking.run(*words, "--concurrency", "1", code=3, env=env)
        run = asking.json("run", "show", "-n", "r")
        assert run["status"] == "canceled"
        assert 3 <= run["lines"]["completed"] == len(server.asked) < rows
        assert any("used up" in warning for warning in run["warnings"])
        assert "flowyard run resume r" in done.stderr
        rest = asking.json("run", "resume", "r", env=env)
    assert (rest["status"], rest["lines"]["completed"], len(server.asked)) == ("completed", rows, rows)
    assert rest["usage"]["cost_usd"] == pytest.approx(rows * ONE_CALL)
    assert not any("used up" in warning for warning in rest["warnings"])


def test_a_budget_is_for_all_runs_of_an_experiment(asking: Project) -> None:
    more = '- name: e\n  source: data.jsonl\n  mappings: {question: "${data.question}"}\nlimits:'
    asking.write("experiment.yaml", EXPERIMENT.replace("limits:", more))
    with limited_server() as server:
        words = ("experiment", "run", "experiment.yaml", "--max-tokens", "1100")
        done = asking.run(*words, code=3, env={"MY_MODEL_BASE_URL": server.url})
    assert len(server.asked) == 10
    assert "1 more of 2 runs were not made" in done.stderr


def test_a_budget_that_counts_nothing_warns(asking: Project) -> None:
    with limited_server(lambda number, body: answered("llama")) as server:
        run = create(asking, server, "--max-cost", "1")
    assert run["status"] == "completed"
    assert any("No model call has a known price" in warning for warning in run["warnings"])


EXPERIMENT = """\
name: costs
flow: ask
datasets:
- name: d
  source: data.jsonl
  mappings: {question: "${data.question}"}
limits:
  my_model: {rpm: 100000}
"""


def test_an_experiments_report_has_costs(asking: Project) -> None:
    asking.write("experiment.yaml", EXPERIMENT)
    with limited_server() as server:
        env = {"MY_MODEL_BASE_URL": server.url}
        done = asking.run("experiment", "run", "experiment.yaml", env=env)
        found = asking.json("experiment", "run", "experiment.yaml", "--no-cache", env=env)
    assert "Cost: $0.0035 with evaluations." in done.stdout
    page = Path(found["path"], "report.html").read_text(encoding="utf-8")
    assert '<th scope="col" class="num">Cost</th>' in page
    assert "$0.0035" in page
    (row,) = csv.DictReader(Path(found["path"], "metrics.csv").read_text(encoding="utf-8").splitlines())
    assert float(row["cost_usd"]) == pytest.approx(10 * ONE_CALL)
    assert row["unpriced_calls"] == "0"


def test_wrong_limits_of_an_experiment_are_a_problem_with_a_line(asking: Project) -> None:
    asking.write("experiment.yaml", EXPERIMENT.replace("rpm", "rmp"))
    said = asking.rejected("experiment", "run", "experiment.yaml")
    assert "experiment.yaml:7" in said
    assert "Did you mean 'rpm'?" in said
