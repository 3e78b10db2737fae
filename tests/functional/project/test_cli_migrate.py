"""``flowyard migrate`` over a repository of the template, with broken things in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from functional_helper import Completed, Project, flowyard_here
from template_repository import write_repository

from flowyard.migration.scripts import SCRIPTS


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return write_repository(tmp_path / "mail")


def migrated(repository: Path, *options: str, code: int = 0) -> Any:
    done = run(repository, *options, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def run(repository: Path, *options: str) -> Completed:
    return flowyard_here("migrate", repository, *options, cwd=repository)


def found(view: Any, use_case: str | None, kind: str) -> dict[str, str]:
    """The messages of a kind by ``file:line``, of several on one line all."""
    findings = view["shared"]
    if use_case is not None:
        findings = next(case for case in view["use_cases"] if case["name"] == use_case)["findings"]
    said: dict[str, str] = {}
    for each in findings:
        if each["kind"] == kind:
            place = f"{each['file']}:{each['line']}"
            said[place] = f"{said.get(place, '')} {each['message']} {each['advice']}"
    return said


def all_files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_every_surprise_of_experiment_files_is_told_with_its_line(repository: Path) -> None:
    view = migrated(repository)
    problems, surprises = found(view, "letters", "problem"), found(view, "letters", "surprise")
    assert "'owner'" in problems["letters/experiment.yaml:4"]
    assert "api_base" in problems["letters/experiment.yaml:10"]
    assert "'stage'" in problems["letters/experiment.prod.yaml:3"]
    assert "nothing is evaluated" in problems["letters/experiment.prod.yaml:5"]
    assert "'name' in an overlay is ignored" in surprises["letters/experiment.prod.yaml:1"]
    assert "'flow' in an overlay is ignored" in surprises["letters/experiment.prod.yaml:2"]
    assert "clears the whole block in 'pr'" in surprises["letters/experiment.pr.yaml:1"]
    assert "no environment was named" in surprises["letters/experiment.None.yaml:1"]
    variants = surprises["letters/flows/sort/flow.dag.yaml:1"]
    assert "'Variant_B' could not be chosen" in variants
    assert "'variant_0' are variants of two nodes" in variants
    assert "MAIL_MODEL_API_KEY" in found(view, "letters", "works")["letters/experiment.yaml:7"]


def test_a_mapping_to_an_input_that_is_not_there_is_told_beside_a_broken_evaluator(repository: Path) -> None:
    view = migrated(repository)
    told = " ".join([*found(view, "talk", "problem").values(), *found(view, "talk", "surprise").values()])
    assert "math_question" in told
    works = found(view, "talk", "works")["talk/flows/eval_tone/eval_tone.py:1"]
    assert "eval_tone(run_name, data_path, mappings, report_dir)" in works
    assert "samples/flow.flex.yaml" in told
    assert str(repository) not in json.dumps([view["use_cases"], view["shared"]])


def test_deployments_pipelines_and_environments(repository: Path) -> None:
    view = migrated(repository)
    problems, surprises = found(view, "letters", "problem"), found(view, "letters", "surprise")
    config = "letters/configs/deployment_config.json"
    assert "'prod'" in problems[f"{config}:1"]
    assert "40 % of the traffic goes to a deployment without a name" in problems[f"{config}:7"]
    assert "'60', not a number" in surprises[f"{config}:10"]
    assert "'OTHER_API_KEY' that looks like a secret" in problems[f"{config}:12"]
    assert "the text 'None'" in problems["letters/environment/env.yaml:1"]
    assert "Not valid JSON" in found(view, "talk", "problem")["talk/configs/deployment_config.json:1"]

    workflow = ".github/workflows/letters_ci_dev_workflow.yml"
    replaced = found(view, "letters", "replaced")
    assert "flowyard experiment run" in replaced[f"{workflow}:8"]
    assert "Evaluation is a part of it" in replaced[f"{workflow}:9"]
    assert "switched off" in problems[f"{workflow}:10"]
    assert "Secrets are printed" in problems[f"{workflow}:7"]
    assert "flowyard deploy apply" in replaced[f"{workflow}:11"]
    assert f"{workflow}:12" not in json.dumps(view["use_cases"])
    assert "register_data_asset" in found(view, "talk", "replaced")[".jenkins/talk_pr:1"]
    assert "approval" in found(view, None, "replaced")[".azure-pipelines/platform_cd_dev_pipeline.yml:2"]
    assert "AZURE" in found(view, None, "replaced")["llmops/config.py:2"]
    assert "Git does not ignore" in found(view, None, "problem")[".env:1"]


def test_nothing_is_run_written_or_given_away_by_looking(repository: Path) -> None:
    before = all_files(repository)
    done = run(repository)
    assert done.returncode == 0
    assert all_files(repository) == before
    assert "sk-" not in done.stdout + done.stderr
    assert "written-out" not in done.stdout
    assert "-owner: the mail team\n+# owner: the mail team" in done.stdout


def test_writing_keeps_every_file_and_does_nothing_the_second_time(repository: Path) -> None:
    before = all_files(repository)
    done = run(repository, "--write")
    assert done.returncode == 0, done.stderr
    after = all_files(repository)
    kept = {name.removesuffix(".before-migration"): text for name, text in after.items() if "before-migration" in name}
    assert set(kept) == {"letters/experiment.yaml", "letters/experiment.prod.yaml"}
    for name, text in before.items():
        assert (kept if name in kept else after)[name] == text
    assert b"# owner: the mail team" in after["letters/experiment.yaml"]
    assert b"api_base: ${api_endpoint}" in after["letters/experiment.yaml"]
    assert b"#   approvals: 2" in after["letters/experiment.prod.yaml"]
    page = after["MIGRATION.md"].decode()
    assert "## letters" in page
    assert "sk-" not in page
    assert "<b>" not in page
    assert run(repository, "--write").returncode == 0
    assert all_files(repository) == after


def test_what_was_written_runs(repository: Path, project: Project) -> None:
    run(repository, "--write")
    view = migrated(repository)
    works = found(view, "letters", "works")["letters/experiment.yaml:1"]
    assert "flowyard experiment run letters --dry-run" in works
    result = project.json("experiment", "run", repository / "letters", "--variants", "defaults")
    assert [[judged["evaluator"] for judged in each["evaluations"]] for each in result["runs"]] == [["grade"]]


def test_data_at_a_url_is_not_asked_for(repository: Path) -> None:
    file = repository / "letters" / "experiment.yaml"
    file.write_text(file.read_text().replace("source: letters.jsonl", "source: https://nobody.invalid/letters.jsonl"))
    works = found(migrated(repository), "letters", "works")
    assert "was not looked at" in works["letters/experiment.yaml:1"]
    assert "was not looked at" in works["letters/experiment.pr.yaml:1"]


def test_a_page_of_somebody_else_is_kept(repository: Path) -> None:
    (repository / "MIGRATION.md").write_text("our own plan\n")
    (repository / "MIGRATION.md.before-migration").write_text("an older one\n")
    assert run(repository, "--write").returncode == 0
    assert (repository / "MIGRATION.md.before-migration").read_text() == "an older one\n"
    assert (repository / "MIGRATION.md.before-migration.2").read_text() == "our own plan\n"


def test_links_are_neither_followed_nor_written_through(repository: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("name: outside\nowner: somebody\n")
    overlay = repository / "letters" / "experiment.linked.yaml"
    overlay.symlink_to(outside)
    assert run(repository, "--write").returncode == 0
    assert overlay.is_symlink()
    assert outside.read_text() == "name: outside\nowner: somebody\n"


def test_a_place_that_cannot_be_written_is_told_before_anything_is(repository: Path) -> None:
    before = (repository / "letters" / "experiment.yaml").read_bytes()
    (repository / "MIGRATION.md").mkdir()
    done = run(repository, "--write")
    assert (done.returncode, "is a folder where a file is written" in done.stderr) == (2, True), done.stderr
    (repository / "MIGRATION.md").rmdir()
    (repository / "MIGRATION.md").symlink_to("elsewhere.md")
    assert run(repository, "--write").returncode == 2
    assert (repository / "letters" / "experiment.yaml").read_bytes() == before
    done = flowyard_here("schema", "write", "made", cwd=repository)
    assert done.returncode == 0
    (repository / "other" / "overlay.json").mkdir(parents=True)
    done = flowyard_here("schema", "write", "other", cwd=repository)
    assert "overlay.json is a folder where a file is needed" in done.stderr
    assert [each.name for each in (repository / "other").iterdir()] == ["overlay.json"]


def test_names_are_no_commands_to_ci_systems(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "##vso[task.complete]x"
    folder.mkdir(parents=True)
    (folder / "experiment.yaml").write_text("name: x\nowner: '##vso[task.complete]y'\n")
    for words in (("migrate", "a", "--write"), ("adopt", "a"), ("migrate", "a")):
        done = flowyard_here(*words, cwd=tmp_path)
        assert (done.returncode, "##vso[" in done.stdout + done.stderr) == (0, False), done.stdout


def test_a_folder_without_an_experiment_is_refused(tmp_path: Path) -> None:
    assert "No folder below" in run_rejected(tmp_path)
    assert "There is no folder" in run_rejected(tmp_path / "missing")


def run_rejected(folder: Path) -> str:
    done = flowyard_here("migrate", folder, "--write", cwd=Path.cwd())
    assert done.returncode == 2
    assert not list(folder.glob("*.md"))
    return done.stderr


@pytest.mark.parametrize(
    "text", ["a: [", "- 1\n", "\x1b[31mred: 1\n", "name: {x: 1}\nowner: {a: 1, b: 2}\n", "a: 1\na: 2\n"]
)
def test_files_of_any_kind_are_findings_and_are_left_as_they_are_unless_sure(tmp_path: Path, text: str) -> None:
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "experiment.yaml").write_text(text)
    done = run(tmp_path, "--write")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b[31mred" not in done.stdout


@pytest.mark.parametrize("module", sorted(SCRIPTS))
def test_every_script_of_the_template_is_known(module: str) -> None:
    script = SCRIPTS[module]
    assert script.command is None or script.command.startswith("flowyard ")
    assert script.command or "not" in script.note or "leave it out" in script.note
