"""Runs generated workflows of GitHub on this machine: their own commands, in order, in clean clones.

What ``uses`` names is replaced by the least that does the same: a clone at the commit, this Python, copies of folders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ci_machine import git
from ruamel.yaml import YAML
from workflow_expressions import Expressions
from workflow_machine import WorkflowMachine

__all__ = ["Event", "JobDone", "WorkflowRunner"]


@dataclass(frozen=True)
class Event:
    """What started a workflow: ``ref`` is what is checked out, ``payload`` the event as GitHub sends it."""

    name: str
    ref: str
    commit: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    base_ref: str = ""
    head_ref: str = ""


@dataclass(frozen=True)
class JobDone:
    """``result`` as ``needs`` has it; ``workspace`` is None for a job that calls a workflow."""

    result: str
    outputs: Mapping[str, str] = field(default_factory=dict)
    workspace: Path | None = None


@dataclass
class WorkflowRunner:
    """``repository`` has the branches; ``secrets`` and ``variables`` are the repository's; ``environment`` is what the
    machine has besides. ``actions`` are those whose own steps are run, by name, with the folders that they are in.
    ``on_line`` sees each line that a step writes, while the step goes on.
    """

    repository: Path
    folder: Path
    secrets: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    actions: Mapping[str, Path] = field(default_factory=dict)
    on_line: Callable[[Path, str], None] = lambda _workspace, _line: None
    jobs: dict[str, JobDone] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    summary: str = ""
    artifacts: Path = Path()
    runs: int = 0

    def run(self, file: str, event: Event) -> dict[str, JobDone]:
        """Run a workflow as it is at the event's commit; all jobs, called ones below the name of their caller."""
        self.jobs, self.log, self.summary, self.runs = {}, [], "", self.runs + 1
        self.artifacts = self.folder / f"run{self.runs}" / "artifacts"
        self.artifacts.mkdir(parents=True)
        workflow = self.read(file, event.commit)
        assert event.name in workflow["on"], f"{file} is not started by {event.name}"
        self._jobs(workflow, event, {"secrets": self.secrets, "inputs": {}}, "", {})
        return self.jobs

    def read(self, file: str, commit: str) -> Any:
        """A workflow at a commit."""
        shown = git(self.repository, "show", f"{commit}:.github/workflows/{file}")
        return YAML(typ="safe").load(shown)

    @property
    def text(self) -> str:
        """All that steps wrote."""
        return "".join(self.log)

    def _jobs(
        self, workflow: Any, event: Event, given: Mapping[str, Any], prefix: str, granted: Mapping[str, str]
    ) -> str:
        done: dict[str, JobDone] = {}
        waiting = dict(workflow["jobs"])
        while waiting:
            name = next(each for each in waiting if not (set(_needs(waiting[each])) & set(waiting)))
            job = waiting.pop(name)
            needs = {each: {"result": done[each].result, "outputs": done[each].outputs} for each in _needs(job)}
            contexts = {**given, "needs": needs, "github": self._github(event), "vars": self.variables}
            failed = any(each["result"] != "success" for each in needs.values())
            if not Expressions(contexts, failed=failed).holds(job.get("if")):
                done[name] = JobDone("skipped")
            else:
                done[name] = self._matrix(workflow, job, event, contexts, f"{prefix}{name}", granted)
            self.jobs[f"{prefix}{name}"] = done[name]
        return "success" if all(each.result in ("success", "skipped") for each in done.values()) else "failure"

    def _matrix(
        self,
        workflow: Any,
        job: Any,
        event: Event,
        contexts: Mapping[str, Any],
        name: str,
        granted: Mapping[str, str],
    ) -> JobDone:
        rights = job.get("permissions", workflow.get("permissions", granted))
        if granted:
            assert set(rights.items()) <= set(granted.items()), f"{name} wants more than its caller may"
        if "strategy" not in job:
            return self._job(workflow, job, event, {**contexts, "matrix": {}}, name, rights)
        rows = Expressions(contexts).fill(job["strategy"]["matrix"])["include"]
        done = [
            self._job(workflow, job, event, {**contexts, "matrix": row}, f"{name}[{row['name']}]", rights)
            for row in rows
        ]
        self.jobs |= {f"{name}[{row['name']}]": each for row, each in zip(rows, done, strict=True)}
        return JobDone("success" if all(each.result == "success" for each in done) else "failure")

    def _job(
        self,
        workflow: Any,
        job: Any,
        event: Event,
        contexts: Mapping[str, Any],
        name: str,
        rights: Mapping[str, str],
    ) -> JobDone:
        if "uses" in job:
            return JobDone(self._call(job, event, contexts, name, rights))
        if "environment" in job:
            self.log.append(f"[environment {Expressions(contexts).fill(job['environment'])}]\n")
        shell = workflow.get("defaults", {}).get("run", {}).get("shell", "")
        machine = WorkflowMachine(self, event, contexts, name, shell)
        result, outputs = machine.work(job)
        return JobDone(result, outputs, machine.sources)

    def _call(self, job: Any, event: Event, contexts: Mapping[str, Any], name: str, rights: Mapping[str, str]) -> str:
        """A called workflow gets what it declares, and nothing else."""
        called = self.read(Path(job["uses"]).name, event.commit)
        declared = called["on"]["workflow_call"]
        expressions = Expressions(contexts)
        given = expressions.fill(job.get("with", {}))
        assert set(given) <= set(declared["inputs"]), f"{name}: {set(given) - set(declared['inputs'])}"
        inputs = {}
        for key, said in declared["inputs"].items():
            assert key in given or not said["required"], f"{name} lacks {key}"
            inputs[key] = given.get(key, said.get("default"))
        secrets = expressions.fill(job.get("secrets", {}))
        assert set(secrets) <= set(declared.get("secrets", {}))
        return self._jobs(called, event, {"inputs": inputs, "secrets": secrets}, f"{name}/", rights)

    def _github(self, event: Event) -> Mapping[str, Any]:
        return {
            "event": event.payload,
            "event_name": event.name,
            "ref": event.ref,
            "sha": event.commit,
            "base_ref": event.base_ref,
            "head_ref": event.head_ref,
            "repository": "o/r",
            "token": self.environment.get("TOKEN_OF_JOB", ""),
        }


def _needs(job: Any) -> list[str]:
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else needs
