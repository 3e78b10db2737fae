"""``flowyard registry``: flows in versions, what is known of them, what changed, and giving them on."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from functional_helper import (
    ASK_FLOW,
    ASK_TEMPLATE,
    ECHO_TOOL,
    RULES,
    Project,
    all_text,
    one_node_flow,
    quick_flowyard,
)
from git_helper import git

CANARY = "c4n4ry-7766554433"
VARIANTS = """\
inputs:
  x: {type: string}
outputs:
  out: {type: string, reference: "${work.output}"}
nodes:
- {name: work, use_variants: true}
node_variants:
  work:
    default_variant_id: plain
    variants:
      plain: {node: {type: python, source: {type: code, path: plain.py}, inputs: {x: "${inputs.x}", times: 1}}}
      loud: {node: {type: python, source: {type: code, path: loud.py}, inputs: {x: "${inputs.x}", times: 1}}}
"""
PLAIN = "from promptflow.core import tool\n\n\n@tool\ndef work(x: str, times: int):\n    return x * times\n"
LOUD = PLAIN.replace("x * times", "x.upper() * times")
EXPERIMENT = """\
name: words
flow: words
datasets:
- {name: rows, source: rows.jsonl, mappings: {x: "${data.x}"}}
evaluators:
- name: loudness
  flow: loudness
  datasets:
  - {name: rows, mappings: {x: "${run.outputs.out}"}}
gates:
- loudness >= 0
"""
LOUDNESS = """\
inputs:
  x: {type: string}
outputs:
  out: {type: string, reference: "${work.output}"}
nodes:
- {name: work, type: python, source: {type: code, path: work.py}, inputs: {x: "${inputs.x}"}}
- {name: sum, type: python, aggregation: true, source: {type: code, path: sum.py}, inputs: {found: "${work.output}"}}
"""
COUNT = "from promptflow.core import tool\n\n\n@tool\ndef work(x: str):\n    return sum(map(str.isupper, x))\n"
SUM = """\
from promptflow.core import log_metric, tool


@tool
def total(found: list):
    log_metric("loudness", sum(found) / len(found))
"""


def words(project: Project) -> str:
    return project.flow("words", VARIANTS, plain_py=PLAIN, loud_py=LOUD)


def registered(project: Project, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = project.json("registry", "register", *words)
    return found


def kinds(view: dict[str, Any]) -> list[str]:
    return [fact["kind"] for fact in view["lineage"]]


def test_defect_29_what_is_no_part_of_a_flow_makes_no_version_and_is_never_kept(project: Project):
    """The template hashed in the order of the disk, without names, with caches and ``.env``, and uploaded these."""
    project.echo_flow("echo")
    first = registered(project, "echo")
    assert (first["version"], first["new"]) == (1, True)
    for name in (".env", ".promptflow/log.txt", "__pycache__/work.pyc", ".git/config", "x.env"):
        project.write(f"echo/{name}", f"KEY={CANARY}\n")
    for file in (project.root / "echo").rglob("*"):
        os.utime(file, (1, 1))
    shutil.copytree(project.root / "echo", project.root / "elsewhere" / "echo")
    for path in ("echo", "echo/flow.dag.yaml", "elsewhere/echo"):
        again = registered(project, path)
        assert (again["version"], again["new"], again["digest"]) == (1, False, first["digest"])
    assert CANARY not in all_text(project.home)
    (project.root / "echo" / "work.py").rename(project.root / "echo" / "werk.py")
    project.write("echo/flow.dag.yaml", one_node_flow({"x": "string"}).replace("work.py", "werk.py"))
    assert registered(project, "echo")["version"] == 2
    (project.root / "echo" / "werk.py").rename(project.root / "echo" / "work.py")
    project.write("echo/flow.dag.yaml", one_node_flow({"x": "string"}))
    assert registered(project, "echo")["version"] == 1  # compared with every version, not with the last


def test_defect_30_a_folder_of_data_is_a_version_too(project: Project):
    """The template took single files only, each read whole."""
    project.jsonl("data/größe/a.jsonl", [{"x": 1}])
    project.jsonl("data/b.jsonl", [{"x": 2}])
    made = [project.json("dataset", "register", "data", "--name", "rows") for _ in range(2)]
    assert [(each["version"], each["new"]) for each in made] == [(1, True), (1, False)]
    project.run("registry", "checkout", "rows:1", "out")
    assert (project.root / "out" / "größe" / "a.jsonl").read_text("utf-8") == '{"x": 1}\n'
    shown = project.json("registry", "show", "rows")
    assert (shown["name"], shown["kind"], shown["versions"][0]["digest"]) == ("rows", "dataset", made[0]["digest"])


def test_defect_31_a_failure_outside_is_an_error_and_no_version(project: Project):
    """The template made a new version of every failure to log in."""
    flow = project.echo_flow()
    registered(project, flow)
    nowhere = {"FLOWYARD_STORE": "postgresql://nobody@127.0.0.1:1/none"}
    said = project.run("registry", "register", flow, code=5, env=nowhere)
    assert "Error" in said.stderr
    assert len(project.json("registry", "show", flow)["versions"]) == 1


def test_defect_32_a_version_knows_what_justified_it(project: Project):
    """The template's model version knew nothing of runs, metrics and data."""
    flow = words(project)
    project.flow("loudness", LOUDNESS, work_py=COUNT, sum_py=SUM)
    project.jsonl("rows.jsonl", [{"x": "ab"}, {"x": "Cd"}])
    project.write("experiment.yaml", EXPERIMENT)
    git(project.root, "init", "-q", "-b", "main")
    git(project.root, "add", "-A")
    git(project.root, "commit", "-qm", "x")
    git(project.root, "remote", "add", "origin", f"https://me:{CANARY}@example.org/r.git")
    project.run("experiment", "run", ".", env={"SOME_API_KEY": CANARY})
    first = registered(project, flow, "--experiment", "words")
    assert kinds(first) == ["commit", "run", "dataset", "run", "metrics", "evaluator", "gates"]
    commit, run, _, _, metrics, _, gates = (fact["value"] for fact in first["lineage"])
    assert (commit["branch"], commit["dirty"], commit["repository"]) == ("main", False, "https://example.org/r.git")
    assert run["variant"] == "work=plain"
    assert metrics["metrics"] == {"loudness": 0.5}
    assert gates["verdict"] == "pass"
    second = registered(project, flow, "--variant", "work=loud", "--experiment", f"words/{run['key']}")
    assert second["version"] == 2
    moved = project.json("registry", "diff", "words:1", "words:2")["metrics"]
    assert [(each["metric"], each["before"], each["after"], each["moved"]) for each in moved] == [
        ("loudness", 0.5, 2, 1.5)
    ]
    again = registered(project, flow, "--experiment", "words")
    assert (again["new"], again["facts"]) == (False, [])
    tree = project.run("registry", "lineage", "words:2").stdout
    places = [tree.index(word) for word in ("commit", "data", "evaluators", "runs", "loudness = 2", "gates: pass")]
    assert places == sorted(places)
    assert CANARY not in all_text(project.home)
    project.write("words/plain.py", PLAIN + "# changed\n")
    said = project.run("registry", "register", flow, "--experiment", "words", code=2).stderr
    assert "changed since" in said
    assert len(project.json("registry", "show", "words")["versions"]) == 2


def test_what_is_checked_out_is_what_was_registered_and_runs_as_it_was_chosen(project: Project):
    flow = words(project)
    made = registered(project, flow, "--variant", "${work.loud}", "--param", "work.times=2")
    assert made["settings"] == {
        "definition": "flow.dag.yaml",
        "variant": {"work": "loud"},
        "parameters": {"work.times": 2},
    }
    shutil.rmtree(project.root / flow)
    done = project.json("registry", "checkout", "words", "out")
    assert done["digest"] == made["digest"]
    assert project.json("flow", "test", "--flow", "out", "--inputs", "x=ab") == {"out": "ABAB"}
    again = registered(project, "out", "--name", "words")  # what was chosen is in the files now
    assert (again["version"], again["digest"], again["new"]) == (1, made["digest"], False)
    assert "something in out" in project.run("registry", "checkout", "words", "out", code=2).stderr


def test_a_flow_with_includes_is_checked_out_whole(project: Project):
    project.write("shared/lib.py", "def twice(x):\n    return x * 2\n")
    tool = "from lib import twice\n" + ECHO_TOOL.replace("return x", "return twice(x)")
    project.flow("doubling", "additional_includes: [../shared/lib.py]\n" + one_node_flow({"x": "string"}), work_py=tool)
    assert registered(project, "doubling")["version"] == 1
    project.run("registry", "checkout", "doubling:1", "far/away")
    shutil.rmtree(project.root / "shared")
    assert project.json("flow", "test", "--flow", "far/away", "--inputs", "x=ab") == {"out": "abab"}
    assert registered(project, "far/away", "--name", "doubling")["new"] is False


def test_a_prompty_is_kept_with_what_it_names(project: Project):
    text = "---\nmodel:\n  configuration: {type: openai, model: small}\nsample: s.json\n---\nuser:\n{{ question }}\n"
    project.write("prompts/ask.prompty", text)
    project.write("prompts/s.json", '{"question": "What is the capital of Peru?"}')
    project.write("prompts/other.prompty", text)
    project.write("rules.yaml", RULES)
    made = registered(project, "prompts/ask.prompty", "--param", "temperature=0.5")
    assert [file["name"] for file in made["files"]] == ["ask.prompty", "s.json"]
    said = project.run("registry", "checkout", "ask", "out").stdout
    assert "flow test --flow out/ask.prompty" in said
    answer = project.json("flow", "test", "--flow", "out/ask.prompty", "--simulate", "rules.yaml")
    assert "capital" in str(answer)


def test_names_versions_and_aliases(project: Project):
    flow = project.echo_flow()
    one, two = registered(project, flow), registered(project, flow, "--name", "other.name")
    assert (one["version"], two["version"], one["digest"]) == (1, 1, two["digest"])
    project.write("echo/work.py", ECHO_TOOL + "# 2\n")
    registered(project, flow, "--description", "the second")
    project.run("registry", "alias", "set", flow, "production@dev", "1", "--reason", "first try")
    moved = project.json("registry", "alias", "set", flow, "production@dev", "2", "--reason", "better")
    assert (moved["before"], moved["version"]) == (1, 2)
    project.run("registry", "alias", "set", flow, "candidate", "@production@dev", "--reason", "same")
    shown = project.json("registry", "show", "echo@production@dev")
    assert [(each["version"], each["aliases"]) for each in shown["versions"]] == [(2, ["candidate", "production@dev"])]
    project.run("registry", "alias", "remove", flow, "candidate", "--reason", "done")
    history = project.json("registry", "alias", "list", flow)
    assert history["aliases"] == {"production@dev": 2}
    assert [(each["alias"], each["version"]) for each in history["changes"]] == [
        ("production@dev", 1),
        ("production@dev", 2),
        ("candidate", 2),
        ("candidate", None),
    ]
    assert all(each["by"] and each["reason"] for each in history["changes"])
    listed = project.json("registry", "list", "--kind", "flow")
    assert [(each["name"], each["newest"]) for each in listed] == [("echo", 2), ("other.name", 1)]
    assert "the second" in project.run("registry", "show", "echo").stdout
    project.jsonl("rows.jsonl", [{"x": 1}])
    project.run("dataset", "register", "rows.jsonl", "--name", "echo")
    assert "--kind" in project.run("registry", "show", "echo", code=2).stderr
    assert project.json("registry", "show", "echo", "--kind", "dataset")["kind"] == "dataset"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["register", "rows.jsonl"], "flowyard dataset register rows.jsonl --name NAME"),
        (["register", "eco"], "Did you mean"),
        (["register", "echo", "--name", "größe"], "is no name"),
        (["register", "echo", "--variant", "work=loud"], "has no variants"),
        (["register", "echo", "--variant", "work"], "does not select a variant"),
        (["register", "echo", "--param", "work.y=1"], "no 'y'"),
        (["register", "echo", "--param", f"environment_variables.API_KEY={CANARY}"], "looks like a secret"),
        (["register", "echo", "--run", "gone"], "gone"),
        (["register", "echo", "--experiment", "gone"], "gone"),
        (["show", "gone"], "Nothing named 'gone' is registered"),
        (["copy", "gone", "--to", f"postgresql://me:{CANARY}@host/db"], "--to env:NAME"),
        (["copy", "gone", "--to", "env:NOT_SET"], "NOT_SET is not set"),
    ],
)
def test_wrong_input_has_a_next_step(project: Project, words: list[str], said: str):
    project.echo_flow()
    project.jsonl("rows.jsonl", [{"x": 1}])
    told = project.run("registry", *words, code=2)
    assert said in told.stderr, told.stderr
    assert CANARY not in told.stderr
    assert told.stdout == ""


def test_a_diff_shows_prompts_beside_each_other_and_cannot_steer(project: Project):
    prompt = ASK_TEMPLATE + "A line that stays.\n" * 10
    project.flow("ask", ASK_FLOW, ask_jinja2=prompt)
    project.write("ask/gone.txt", "x\n")
    (project.root / "ask" / "data.bin").write_bytes(b"\0\1")
    registered(project, "ask", "--note", "\x1b[2J<script>alert(1)</script>")
    project.write("ask/ask.jinja2", prompt.replace("one word", "two words \x1b[31m<script>alert(2)</script>"))
    (project.root / "ask" / "gone.txt").unlink()
    (project.root / "ask" / "data.bin").write_bytes(b"\0\2\3")
    project.write("ask/new.py", "X = 1\n")
    registered(project, "ask")
    wide = project.run("registry", "diff", "ask:1", "ask:2", "--html", "out/d.html", env={"COLUMNS": "160"}).stdout
    assert "files: 1 added, 1 removed, 2 changed, 1 the same" in wide
    assert re.search(r"You answer in one word\. +You answer in two words", wide)
    assert "… 9 equal lines" in wide
    narrow = project.run("registry", "diff", "ask:1", "ask:2", env={"COLUMNS": "80"}).stdout
    assert "-You answer in one word." in narrow
    assert "--- ask:1/ask.jinja2" in narrow
    tree = project.run("registry", "lineage", "ask:1").stdout
    assert "\x1b[2J" not in tree
    assert "\x1b[31m" not in wide + narrow
    page = (project.root / "out" / "d.html").read_text("utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(2)" in page
    assert "default-src &#39;none&#39;" in page
    changes = project.json("registry", "diff", "ask:1", "ask:2")
    assert [(each["name"], each["change"], each["diff"] is None) for each in changes["files"]] == [
        ("ask.jinja2", "changed", False),
        ("data.bin", "changed", True),
        ("gone.txt", "removed", False),
        ("new.py", "added", False),
    ]
    assert project.json("registry", "diff", "ask:1", "ask:1")["same"] is True


def test_a_copy_has_the_digest_and_the_facts(project: Project, tmp_path: Path):
    flow = words(project)
    made = registered(project, flow, "--variant", "work=loud", "--note", "approved by the team")
    other = tmp_path / "other" / ".flowyard"
    project.echo_flow()
    done = quick_flowyard("registry", "register", "echo", "--name", "words", "--home", other, cwd=project.root)
    assert done.returncode == 0, done.stderr
    shutil.rmtree(project.root / flow)  # it is not made again from anything
    copied = project.json("registry", "copy", "words:1", "--to", str(other))
    assert (copied["version"], copied["digest"], copied["new"]) == (2, made["digest"], True)
    again = project.json("registry", "copy", "words:1", "--to", str(other))
    assert (again["version"], again["new"], again["facts"]) == (2, False, 0)
    shown = json.loads(
        quick_flowyard("registry", "show", "words:2", "--json", "--home", other, cwd=project.root).stdout
    )
    facts = [fact["value"] for fact in shown["versions"][0]["lineage"]]
    assert all(fact["copied_from"].startswith("words:1 of ") for fact in facts)
    assert "approved by the team" in [fact.get("text") for fact in facts]
    quick_flowyard("registry", "checkout", "words:2", "out", "--home", other, cwd=project.root)
    assert project.json("flow", "test", "--flow", "out", "--inputs", "x=ab") == {"out": "AB"}


def test_a_run_of_another_version_is_marked(project: Project):
    flow = project.echo_flow()
    project.jsonl("rows.jsonl", [{"x": "a"}])
    project.run("run", "create", "--flow", flow, "--data", "rows.jsonl", "--name", "mine")
    same = registered(project, flow, "--run", "mine")
    assert [fact["value"].get("same_flow") for fact in same["lineage"] if fact["kind"] == "run"] == [True]
    project.write("echo/work.py", ECHO_TOOL + "# 2\n")
    done = project.run("registry", "register", flow, "--run", "mine")
    assert "was of another version" in done.stderr
    assert "ANOTHER version" in project.run("registry", "lineage", "echo:2").stdout


def test_a_name_of_the_other_kind_is_told(project: Project):
    project.jsonl("rows.jsonl", [{"x": 1}])
    project.run("dataset", "register", "rows.jsonl", "--name", "rows")
    registered(project, project.echo_flow())
    assert "'rows' is a dataset" in project.run("registry", "diff", "echo:1", "rows:1", code=2).stderr
    assert "'echo' is a flow" in project.run("dataset", "show", "echo", code=2).stderr


def test_defect_33_data_is_registered_only_when_it_changed(project: Project):
    """The template's data pipeline registered whatever there was, each time it ran."""
    words = ("dataset", "register", "rows.jsonl", "--name", "rows")
    numbers = []
    for value in (1, 1, 2, 1):
        project.jsonl("rows.jsonl", [{"x": value}])
        numbers.append(project.json(*words)["version"])
    assert numbers == [1, 1, 2, 1]
