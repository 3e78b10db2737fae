"""``flowyard monitor drift``, and the exchanges that drifted as a dataset."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from functional_helper import Project, quick_flowyard
from monitor_helper import exchange_at

HOSTILE = "<script>alert(1)</script>\x1b[2J"


def exchange(number: int, minutes: float, question: str, **changes: Any) -> dict[str, Any]:
    more = {"inputs": {"question": question, "topic": "orders"}, "outputs": {"label": "yes" if number % 3 else "no"}}
    return exchange_at(number, datetime.now(UTC) - timedelta(minutes=minutes), **{**more, **changes})


def questions(seed: int, count: int, longer: int = 1) -> list[str]:
    numbers = random.Random(seed)
    return [f"{number} " + "word " * int(numbers.lognormvariate(2.5, 0.5)) * longer for number in range(count)]


@pytest.fixture
def drifted(project: Project) -> Project:
    """150 questions of 90 minutes ago, and 150 of 30 minutes ago: longer ones, of a topic that was not there."""
    before = [exchange(number, 90, text) for number, text in enumerate(questions(1, 150))]
    now = [
        exchange(1000 + number, 30, text, inputs={"question": text, "topic": "orders" if number % 3 else HOSTILE})
        for number, text in enumerate(questions(2, 150, longer=2))
    ]
    project.jsonl("records/a.jsonl", [*before, *now])
    project.run("monitor", "collect", "records")
    return project


def test_what_drifted_is_told_in_80_columns_and_on_a_page(drifted: Project):
    words = ("monitor", "drift", "--flow", "chat", "--since", "1h", "--html", "drift.html")
    done = quick_flowyard(*words, "--home", drifted.home, cwd=drifted.root, env={"COLUMNS": "80"})
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "2 of 3 features drifted" in done.stdout
    assert "\x1b[2J" not in done.stdout
    page = (drifted.root / "drift.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 3
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert "\x1b" not in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_the_numbers_for_machines(drifted: Project):
    found = drifted.json("monitor", "drift", "--flow", "chat", "--since", "1h")
    assert (found["reference_records"], found["current_records"], found["drifted"]) == (150, {"1": 150}, 2)
    by_name = {each["feature"]: each for each in found["features"]}
    assert set(by_name) == {"inputs.question.length", "inputs.topic", "outputs.label"}
    assert [by_name[name]["is_drifted"] for name in sorted(by_name)] == [True, True, False]
    topic = {each["label"]: (each["reference"], each["current"]) for each in by_name["inputs.topic"]["bins"]}
    assert topic == {"orders": (1.0, pytest.approx(2 / 3)), HOSTILE: (0.0, pytest.approx(1 / 3))}
    only = drifted.json("monitor", "drift", "--flow", "chat", "--since", "1h", "--feature", "outputs")
    assert [each["feature"] for each in only["features"]] == ["outputs.label"]
    none = drifted.json("monitor", "drift", "--flow", "chat", "--since", "1h", "--reference", "1s")
    assert (none["reference_records"], none["features"], none["too_few"]) == (0, [], ["1"])


def test_a_dataset_and_a_run_are_references(drifted: Project):
    drifted.jsonl("questions.jsonl", [{"question": text, "topic": "orders"} for text in questions(5, 100)])
    drifted.run("dataset", "register", "questions.jsonl", "--name", "normal")
    words = ("monitor", "drift", "--flow", "chat", "--since", "1h")
    found = drifted.json(*words, "--reference", "registry:normal:1")
    assert {each["feature"] for each in found["features"] if each["is_drifted"]} == {
        "inputs.question.length",
        "inputs.topic",
    }
    drifted.echo_flow()
    drifted.jsonl("x.jsonl", [{"x": text} for text in questions(5, 60)])
    run = drifted.json(
        "run", "create", "--flow", "echo", "--data", "x.jsonl", "--column-mapping", "x=${data.x}", "--name", "normal"
    )
    assert run["status"] == "completed"
    asked = enumerate(questions(7, 80, longer=2))
    drifted.jsonl(
        "records/b.jsonl", [exchange(5000 + number, 20, "", flow="echo", inputs={"x": x}) for number, x in asked]
    )
    drifted.run("monitor", "collect", "records")
    of_run = drifted.json("monitor", "drift", "--flow", "echo", "--reference", "run:normal")
    first = of_run["features"][0]
    assert (first["feature"], first["is_drifted"]) == ("inputs.x.length", True)


def test_what_drifted_is_data(drifted: Project):
    made = drifted.json("monitor", "export", "--flow", "chat", "--since", "1h", "--filter", "drifted", "--to", "odd")
    path = drifted.json("dataset", "show", "odd")["path"]
    lines = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
    assert made["lines"] == len(lines)
    assert 50 <= len(lines) < 150
    assert sum(line["inputs.topic"] == HOSTILE for line in lines) == 50
    assert all(int(line["request_id"].partition("-")[2]) >= 1000 for line in lines)
    words = ("monitor", "export", "--flow", "chat", "--since", "1h", "--to", "odd")
    assert "drifted" in drifted.run(*words, "--filter", "drifted:yesterday", code=2).stderr
    nothing = drifted.run(*words, "--until", "59m", "--filter", "drifted:1h", code=2)
    assert "no such exchange" in nothing.stderr


def test_the_use_cases_file_counts(drifted: Project):
    drifted.write(
        "case/monitoring.yaml",
        "flow: chat\nalerts:\n- {name: drift, when: drift over 1h}\n- {name: labels, when: drift.outputs over 1h}\n"
        "drift: {effect: 0.01, reference: 1h}\n",
    )
    found = drifted.json("monitor", "drift", "case", "--since", "1h")
    assert (found["effect"], found["flow"]) == (0.01, "chat")
    alerts = {each["rule"]: each for each in drifted.json("monitor", "check", "case")["alerts"]}
    assert (alerts["drift"]["state"], alerts["labels"]["state"]) == ("firing", "ok")
    assert alerts["drift"]["value"] == 2
    assert "inputs.topic by " in alerts["drift"]["text"]
    assert HOSTILE not in alerts["drift"]["text"]
