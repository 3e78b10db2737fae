"""The files for Azure DevOps by themselves: their schema, their shell, what refers to what, and hostile settings."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from azure_pipeline_runner import expand
from ci_settings import SETTINGS
from functional_helper import flowyard_here
from ruamel.yaml import YAML

from flowyard.pipelines.generate.azure_devops import files
from flowyard.pipelines.stages import PIPELINES

TOOLS = Path(sys.executable).parent


@cache
def made(name: str) -> dict[str, str]:
    return {str(file.path): file.text for file in files(SETTINGS[name])}


@cache
def documents(name: str) -> dict[str, Any]:
    return {path: YAML(typ="safe").load(text) for path, text in made(name).items()}


def scripts(value: Any) -> Iterator[str]:
    """All texts that a shell gets."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key in ("bash", "script", "inlineScript") and isinstance(each, str):
                yield each
            else:
                yield from scripts(each)
    elif isinstance(value, list):
        for each in value:
            yield from scripts(each)


@cache
def expanded(name: str, pipeline: str) -> Any:
    found = documents(name)
    entry = PurePosixPath(f".azure-pipelines/flowyard-{pipeline}-pipeline.yml")
    return expand(lambda path: found[str(path)], entry, {})


def test_the_schema_of_azure_pipelines(tmp_path: Path):
    for name in SETTINGS:
        for path, text in made(name).items():
            place = tmp_path / name.replace(" ", "_") / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
    words = ["--builtin-schema", "vendor.azure-pipelines", "--regex-variant", "nonunicode"]
    words += ["--data-transform", "azure-pipelines", *map(str, sorted(tmp_path.rglob("*.yml")))]
    done = subprocess.run([TOOLS / "check-jsonschema", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[:3000]


def test_scripts_by_shellcheck(tmp_path: Path):
    found = sorted({script for name in SETTINGS for script in scripts(list(documents(name).values()))})
    for number, script in enumerate(found):
        assert "${{" not in script
        assert not re.search(r"\$\([A-Za-z][\w.]*\)", script), "that would be put into the text"
        (tmp_path / f"{number}.sh").write_text(script)
    words = [TOOLS / "shellcheck", "--shell", "bash", *sorted(tmp_path.glob("*.sh"))]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("pipeline", list(PIPELINES))
@pytest.mark.parametrize("name", list(SETTINGS))
def test_what_refers_to_what(name: str, pipeline: str):
    """Stages and jobs need earlier ones only, and conditions look at what they need only."""
    data = expanded(name, pipeline)
    stages: dict[str, list[str]] = {}
    for stage in data["stages"]:
        needs = listed(stage.get("dependsOn", []))
        assert set(needs) <= set(stages), stage["stage"]
        assert {each.split(".")[0] for each in said("dependencies", stage.get("condition", ""))} <= set(needs)
        jobs: list[str] = []
        for job in stage["jobs"]:
            job_needs = listed(job.get("dependsOn", []))
            assert set(job_needs) <= set(jobs), job["job"]
            own = f"{job.get('condition', '')} {job.get('strategy', '')}"
            assert {each.split(".")[0] for each in said("dependencies", own)} <= set(job_needs)
            for reference in said("stageDependencies", f"{own} {job.get('variables', '')}"):
                before, job_before = reference.split(".")[:2]
                assert before in needs
                assert job_before in stages[before]
            jobs.append(job["job"])
            assert job["timeoutInMinutes"].isdecimal()
        stages[stage["stage"]] = jobs
    shown = str(data)
    assert set(re.findall(r"plan\.(matrix|any|asks)", shown)) <= {"matrix", "any", "asks"}
    assert "addSpnToEnvironment" not in shown


def listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def said(context: str, text: str) -> list[str]:
    return re.findall(rf"(?<![A-Za-z]){context}\.([\w.]+)", text)


@pytest.mark.parametrize("pipeline", ["dev", "prod"])
def test_people_have_sixty_minutes_and_their_job_has_more(pipeline: str):
    stages = {each["stage"]: each for each in expanded("azure", pipeline)["stages"]}
    (job,) = stages["approval"]["jobs"]
    (task,) = job["steps"]
    assert (job["pool"], task["task"]) == ("server", "ManualValidation@1")
    assert task["timeoutInMinutes"] == 60 < int(job["timeoutInMinutes"])
    inputs = task["inputs"]
    assert (inputs["onTimeout"], inputs["notifyUsers"]) == ("reject", "team@example.com")
    assert inputs["approvers"] == "ann@example.com,bob@example.com"
    assert stages["cd"]["lockBehavior"] == "sequential"


def test_secrets_go_to_the_steps_that_need_them_only():
    for pipeline in PIPELINES:
        for stage in expanded("azure", pipeline)["stages"]:
            for job in stage["jobs"]:
                for step in job["steps"]:
                    env = step.get("env", {})
                    if "AOAI_API_KEY" in env:
                        assert env["AOAI_API_KEY"] == "$(AOAI_API_KEY)"
                        assert step["displayName"] in ("Run the stages", "Write down what people said")
                    if step.get("task") == "AzureCLI@2":
                        assert step["inputs"]["azureSubscription"].startswith("flowyard-shop-")
    assert "AOAI_API_KEY" not in str(expanded("azure", "pr"))


def test_each_stage_runs_in_one_job():
    """From the first to the last of a job, as pipelines/stages.py has them."""
    for pipeline in PIPELINES.values():
        data = expanded("defaults", pipeline.name)
        jobs = {job["job"]: job for stage in data["stages"] for job in stage["jobs"]}
        covered = []
        for job in pipeline.jobs:
            (run,) = (each for each in jobs[job.name]["steps"] if each.get("displayName") == "Run the stages")
            names = [stage.name for stage in pipeline.stages]
            first, last = run["env"]["FLOWYARD_FROM"] or names[0], run["env"]["FLOWYARD_UNTIL"]
            covered += names[names.index(first) : names.index(last) + 1]
        left = [stage.name for stage in pipeline.stages if stage.name not in covered]
        assert left == (["comment"] if "comment" in jobs else [])


@pytest.mark.parametrize("system", ["azure-devops", "jenkins"])
@pytest.mark.parametrize(
    "text",
    [
        "approvers: ['a; touch pwned']",
        "approvers: [\"x' + 'y\"]",
        "groups: {dev: '$(touch pwned)'}",
        "groups: {dev: \"a'''b\"}",
        "cloud: {login: azure, service_connection: '${{ variables.x }}'}",
        "notify: 'a@b.c,##vso[task.x]'",
        "branches: {main: '$(touch pwned)'}",
        "runners: [\"x'; sh 'id\"]",
        "secrets: {dev: ['A B']}",
        "home: '../../etc'",
        "use_cases: '$(id)'",
    ],
)
def test_hostile_settings_are_refused(tmp_path: Path, system: str, text: str):
    (tmp_path / "pipelines.yaml").write_text(text + "\n")
    done = flowyard_here("pipeline", "generate", system, cwd=tmp_path, env={"FLOWYARD_HOME": str(tmp_path / "home")})
    assert done.returncode == 2, done.stdout
    assert [each.name for each in tmp_path.iterdir()] == ["pipelines.yaml"]


def test_generate_and_check(tmp_path: Path):
    for system, folder in (("azure-devops", ".azure-pipelines"), ("jenkins", ".jenkins")):
        words = ("pipeline", "generate", system)
        place = {"FLOWYARD_HOME": str(tmp_path / "home")}
        assert flowyard_here(*words, cwd=tmp_path, env=place).returncode == 0
        assert flowyard_here(*words, "--check", cwd=tmp_path, env=place).returncode == 0
        file = next(iter(sorted((tmp_path / folder).iterdir())))
        file.write_text(file.read_text() + " ")
        assert flowyard_here(*words, "--check", cwd=tmp_path, env=place).returncode == 3
