"""``flowyard monitor``: from the records of a served flow to a dataset that the next experiment runs on."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import IO

import pytest
from functional_helper import Project, ending, quick_flowyard, start_flowyard
from monitor_helper import NOW, exchange, feedback, kept, lines_of
from serve_helper import serving


def test_what_people_disliked_is_the_data_of_the_next_run(project: Project):
    project.echo_flow()
    records = project.root / "records"
    settings = {"FLOWYARD_SERVE_RECORDS": str(records), "FLOWYARD_SERVE_VERSION": "7", "FLOWYARD_SERVE_FLOW": "chat"}
    with serving(project, "echo", env=settings) as ask:
        assert ask("/page.json").json()["name"] == "chat", "the page has the name that records have"
        for word in ("one", "two", "three", "two"):
            answer = ask("/score", {"x": word})
            said = {"thumbs": "up"} if word == "one" else {"thumbs": "down", "correction": word.upper()}
            assert ask("/feedback", said, traceparent=answer.headers["traceparent"]).status == 200
    found = project.json("monitor", "collect", records)
    assert (found["new"], found["exchanges"], found["feedback"], found["broken"]) == (8, 4, 4, 0)
    assert project.json("monitor", "collect", records)["new"] == 0
    shown = project.json("monitor", "show", "--flow", "chat")
    (group,) = shown["groups"]
    assert (group["group"], group["requests"], group["positive"], group["negative"]) == ("7", 4, 1, 3)
    made = project.json("monitor", "export", "--flow", "chat", "--filter", "thumbs-down", "--to", "disliked")
    assert (made["source"], made["lines"], made["new"]) == ("registry:disliked:1", 2, True)
    found_lines = {line["inputs.x"]: line for line in lines_of(project, "disliked")}
    assert {name: (line["label"], line["feedback"]) for name, line in found_lines.items()} == {
        "two": ("TWO", "negative"),
        "three": ("THREE", "negative"),
    }
    (fact,) = project.json("registry", "lineage", "disliked")["lineage"]
    assert (fact["kind"], fact["value"]["flow"], fact["value"]["versions"]) == ("production", "chat", ["7"])
    assert (fact["value"]["chosen"], fact["value"]["lines"], fact["value"]["reviewed"]) == ("thumbs-down", 2, False)
    assert "production: 2 lines of chat 7" in project.run("registry", "lineage", "disliked").stdout
    run = project.json(
        "run", "create", "--flow", "echo", "--data", "registry:disliked:1", "--column-mapping", "x=${data.inputs.x}"
    )
    assert run["lines"] == {"total": 2, "completed": 2, "failed": 0}


def test_lines_that_are_no_records_are_named_and_the_rest_collected(project: Project):
    path = kept(project, exchange(1))
    with path.open("a") as file:
        file.write('{"kind": "exchange"}\nnothing \x1b[2J\n\n{"kind": "of another time"}\n')
    kept(project, exchange(2))
    done = project.run("monitor", "collect", "records")
    assert "2 new of 2 records read" in done.stdout
    assert "a.jsonl:2: 'at' must be text" in done.stderr.replace("'at' must be a time", "'at' must be text")
    assert "a.jsonl:3: it is no JSON" in done.stderr
    assert "1 records are of a kind that is not known here" in done.stderr
    assert "\x1b[2J" not in done.stderr
    assert project.json("monitor", "collect", "records")["broken"] == 0  # they are named once


def test_following_goes_on_after_a_kill_and_ends_well(project: Project):
    kept(project, *map(exchange, range(50)))
    with following(project) as (process, lines):
        assert json.loads(lines.readline())["new"] == 50
        kept(project, *map(exchange, range(50, 60)), name="b.jsonl")
        assert json.loads(lines.readline())["new"] == 10
        process.kill()
        process.wait(timeout=60)
    kept(project, *map(exchange, range(60, 75)))
    with following(project) as (process, lines):
        assert json.loads(lines.readline())["new"] == 15
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    assert sum(each["requests"] for each in project.json("monitor", "show", "--flow", "triage")["groups"]) == 75


@contextmanager
def following(project: Project) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """``collect --follow`` and what it prints."""
    words = ("monitor", "collect", "records", "--follow", "--every", "0.1", "--json", "--home", project.home)
    with ending(start_flowyard(*words, cwd=project.root, stdout=subprocess.PIPE)) as process:
        assert process.stdout is not None
        with process.stdout as lines:
            yield process, lines


KILLED = """\
import json, os, sys
from pathlib import Path
from flowyard.production.store.collect import collect
from flowyard.production.store.store import ProductionStore
from flowyard.store.open import open_database
from flowyard.store.tables import Tables

home, folder = json.loads(sys.argv[1])
store = ProductionStore(Tables(open_database(Path(home), None)))
collect(store, [Path(folder)], lambda _: os._exit(9), part_bytes=5000)
"""


def test_killed_in_between_again_and_again(project: Project):
    kept(project, *map(exchange, range(60)))
    given = json.dumps([str(project.home), str(project.root / "records")])
    killed = 0
    while subprocess.run([sys.executable, "-c", KILLED, given], check=False, timeout=60).returncode == 9:
        killed += 1
    assert killed > 2
    assert project.json("monitor", "collect", "records")["bytes"] == 0
    groups = project.json("monitor", "show", "--flow", "triage")["groups"]
    assert [each["requests"] for each in groups] == [30, 30]


def test_a_table_fits_into_80_columns(project: Project):
    numbers = random.Random(1)
    records = [exchange(number, status=500 if number % 9 == 0 else 200) for number in range(200)]
    records += [exchange(number, version="v" * 60 + "\x1b[2J", prompt_tokens=10**9) for number in range(200, 260)]
    records += [feedback(number, {"thumbs": numbers.choice(["up", "down"])}) for number in range(0, 200, 3)]
    kept(project, *records)
    project.run("monitor", "collect", "records")
    for chart in ("requests", "feedback"):
        words = ("monitor", "show", "--flow", "triage", "--since", "90m", "--chart", chart, "--home", project.home)
        done = quick_flowyard(*words, cwd=project.root, env={"COLUMNS": "80"})
        assert done.returncode == 0
        assert max(map(len, done.stdout.splitlines())) <= 80
        assert "\x1b[2J" not in done.stdout
        assert ("█" if chart != "feedback" else "·") in done.stdout


def test_arms_are_shown_by_their_experiment(project: Project):
    about = exchange(1)
    names = ("at", "request_id", "trace_id", "version", "status", "latency_s")
    seen = {name: about[name] for name in names}
    kept(project, about, {"kind": "exposure", **seen, "experiment": "answers", "unit": "u", "arm": "b", "epoch": 1})
    project.run("monitor", "collect", "records")
    shown = project.json("monitor", "show", "--by", "arm", "--experiment", "answers")
    assert [(each["group"], each["requests"], each["prompt_tokens"]) for each in shown["groups"]] == [("b", 1, 100)]
    refused = quick_flowyard(
        "monitor", "show", "--by", "arm", "--flow", "anwers", "--home", project.home, cwd=project.root
    )
    assert refused.returncode == 2
    assert "Did you mean 'answers'?" in refused.stderr


def test_a_person_reviews_before_anything_is_registered(project: Project):
    records = [exchange(number, status=500) for number in range(4)]
    records[0]["inputs"] = {"question": "=HYPERLINK(1)"}
    kept(project, *records, exchange(9))
    project.run("monitor", "collect", "records")
    project.run("monitor", "export", "--flow", "triage", "--filter", "failed", "--review", "look.csv")
    path = project.root / "look.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["inputs.question"] == "'=HYPERLINK(1)"
    assert project.json("dataset", "list") == []
    rows[1]["keep"] = "no"
    rows[2]["label"] = "seen"
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    made = project.json("monitor", "export", "--reviewed", "look.csv", "--to", "failures")
    assert made["lines"] == 3
    found = lines_of(project, "failures")
    assert [line["inputs.question"] for line in found] == ["=HYPERLINK(1)", "What is 2?", "What is 3?"]
    assert [line["label"] for line in found] == [None, "seen", None]
    (fact,) = project.json("registry", "lineage", "failures")["lineage"]
    assert (fact["value"]["reviewed"], fact["value"]["since"]) == (True, records[0]["at"])


def test_the_same_exchanges_are_the_same_version(project: Project):
    kept(project, *map(exchange, range(40)), exchange(41, inputs={"question": "What is 3?"}), feedback(3, {"vote": 1}))
    project.run("monitor", "collect", "records")
    words = ("monitor", "export", "--flow", "triage", "--since", "2h", "--to", "sampled")
    assert project.json(*words)["lines"] == 40  # two have the same inputs: the one with feedback stays
    assert [line["feedback"] for line in lines_of(project, "sampled") if line["inputs.question"] == "What is 3?"] == [
        "positive"
    ]
    first = project.json(*words, "--filter", "sample:10", "--seed", "3")
    again = project.json(*words, "--filter", "sample:10", "--seed", "3")
    assert (first["version"], first["new"], again["version"], again["new"]) == (2, True, 2, False)


def test_what_is_personal_is_masked_before_anything_is_kept(project: Project):
    asked = {"question": "I am ann@example.org, what is 1?", "card": "4111111111111111"}
    kept(project, exchange(1, inputs=asked), exchange(2), feedback(1, {"comment": "call 0171 2345678"}))
    project.run("monitor", "collect", "records")
    words = ("monitor", "export", "--flow", "triage", "--mask", "personal", "--mask", "inputs.card")
    project.run(*words, "--review", "look.jsonl")
    made = project.json(*words, "--to", "masked")
    (line,) = [each for each in lines_of(project, "masked") if "inputs.card" in each]
    assert line["inputs.question"] == "I am [email], what is 1?"
    assert (line["inputs.card"], line["comment"]) == ("[masked]", "call [phone]")
    assert line["chosen"].endswith("without personal, inputs.card")
    reviewed = project.json(
        "monitor", "export", "--reviewed", "look.jsonl", "--mask", "inputs.question", "--to", "less"
    )
    assert (made["lines"], reviewed["lines"]) == (2, 2)
    assert {each["inputs.question"] for each in lines_of(project, "less")} == {"[masked]"}
    for file in (project.root / "look.jsonl", *(project.home / "registry").rglob("*.jsonl")):
        assert "ann@example.org" not in file.read_text()
    project.run(*words, "--not-in", "masked", "--to", "others", code=2)  # known as they were masked


REFUSED = {
    ("show",): "Name a use case's folder or a flow.",
    ("show", "--flow", "triag"): "Did you mean 'triage'?",
    ("show", "--flow", "triage", "--since", "yesterday"): "--since cannot be 'yesterday'.",
    ("export", "--flow", "triage"): "Say where the lines go.",
    ("export", "--flow", "triage", "--to", "x", "--mask", "emial"): "Did you mean 'email'?",
    ("export", "--flow", "triage", "--to", "x", "--mask", "inputs.qestion"): "Did you mean 'inputs.question'?",
    ("export", "--flow", "triage", "--to", "x", "--filter", "faild"): "Did you mean 'failed'?",
    ("export", "--flow", "triage", "--to", "x", "--filter", "slow:x"): "needs a number",
    ("export", "--flow", "triage", "--to", "x", "--filter", "failed"): "nothing was registered",
    ("export", "--reviewed", "nothing.csv", "--to", "x"): "Cannot read nothing.csv",
    ("collect", "nowhere"): "There is no folder nowhere.",
}


def test_refusals_name_the_next_step(project: Project):
    kept(project, exchange(1))
    project.run("monitor", "collect", "records")
    for words, said in REFUSED.items():
        done = quick_flowyard("monitor", *words, "--home", project.home, cwd=project.root)
        assert (done.returncode, said in done.stderr) == (2, True), (words, done.stderr)


def test_retaining_deletes_what_is_old_and_collected(project: Project):
    old = (NOW - timedelta(days=40)).isoformat()
    paths = [
        kept(project, *(exchange(number, at=old) for number in range(5)), name="old.jsonl"),
        kept(project, exchange(10, at=old), name="written-today.jsonl"),
        kept(project, exchange(11), name="new.jsonl"),
    ]
    project.run("monitor", "collect", "records")
    paths.append(kept(project, exchange(12, at=old), name="not-collected.jsonl"))
    for path in (paths[0], paths[3]):
        os.utime(path, (1_000_000, 1_000_000))
    words = ("monitor", "retain", "records", "--days", "30")
    shown = project.json(*words)
    assert (shown["records"]["exchanges"], shown["files"], shown["deleted"]) == (6, ["records/old.jsonl"], False)
    assert all(path.exists() for path in paths)
    done = project.json(*words, "--yes")
    assert (done["records"]["exchanges"], done["files"]) == (6, ["records/old.jsonl"])
    assert done["kept"] == ["records/not-collected.jsonl"]
    assert [path.exists() for path in paths] == [False, True, True, True]
    assert "0 exchanges" in project.run(*words).stdout
    assert project.json("monitor", "collect", "records")["new"] == 1  # what was not collected; nothing comes back


@pytest.mark.parametrize("columns", ["80", "120"])
def test_the_name_of_each_group_is_seen_on_a_narrow_terminal(project: Project, columns: str):
    kept(project, *(exchange(number, latency_s=0.00123456) for number in range(4)))
    project.run("monitor", "collect", "records")
    text = project.run("monitor", "show", "--flow", "triage", env={"COLUMNS": columns}).stdout
    assert max(map(len, text.splitlines())) <= int(columns)
    assert [line.split()[:3] for line in text.splitlines()[-2:]] == [["1", "2", "0"], ["2", "2", "0"]]
