"""One machine of GitHub, for the runner in tests: its steps, with stand-ins for the actions of others."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ci_machine import CiMachine, git, plain_name, put_program
from ruamel.yaml import YAML
from workflow_expressions import Expressions

if TYPE_CHECKING:
    from workflow_runner import Event, WorkflowRunner

__all__ = ["WorkflowMachine"]


class WorkflowMachine(CiMachine):
    """One job on a clean machine. ``shell`` is that of steps which name none."""

    def __init__(
        self, runner: WorkflowRunner, event: Event, contexts: Mapping[str, Any], name: str, shell: str = ""
    ) -> None:
        super().__init__(runner.folder / f"run{runner.runs}" / plain_name(name), runner.environment, self._told)
        self.runner, self.event, self.contexts, self.shell = runner, event, contexts, shell
        self.steps: dict[str, Any] = {}
        self.more: dict[str, str] = {}
        (self.temporary / "event.json").write_text(json.dumps(event.payload))

    def _told(self, line: str) -> None:
        self.runner.log.append(line)
        self.runner.on_line(self.sources, line)

    def work(self, job: Any) -> tuple[str, Mapping[str, str]]:
        """All steps, to the result of the job and its outputs."""
        self._steps(job["steps"])
        return "failure" if self.failed else "success", self._expressions().fill(job.get("outputs", {}))

    def _steps(self, steps: Any, inherited: Mapping[str, Any] | None = None) -> None:
        """Each after a failed one only if its condition says so. ``inherited`` are variables of who uses the steps."""
        for step in steps:
            expressions = self._expressions()
            if not expressions.holds(step.get("if")):
                continue
            self.runner.log.append(f"[step {step.get('name') or step['uses']}]\n")
            variables = {**(inherited or {}), **expressions.fill(step.get("env", {}))}
            if "uses" in step:
                self._use(step, expressions.fill(step.get("with", {})), variables)
            else:
                self._run(step, variables)

    def _expressions(self) -> Expressions:
        contexts = {**self.contexts, "steps": self.steps, "runner": {"temp": str(self.temporary)}}
        return Expressions(contexts, failed=self.failed)

    def _use(self, step: Any, given: Mapping[str, Any], variables: Mapping[str, Any]) -> None:
        name, _, commit = step["uses"].partition("@")
        assert re.fullmatch("[0-9a-f]{40}", commit), step["uses"]
        artifacts = self.runner.artifacts
        if name in self.runner.actions:
            self._use_composite(step, self.runner.actions[name], given, variables)
        elif name == "actions/checkout":
            self._fetch(given)
        elif name == "actions/setup-python":
            put_program(self.programs / "python")
        elif name == "actions/upload-artifact":
            self._upload(self.sources / given["path"], artifacts / given["name"], given)
        elif name == "actions/download-artifact" and "name" in given:
            shutil.copytree(artifacts / given["name"], self.sources / given["path"], dirs_exist_ok=True)
        elif name == "actions/download-artifact":
            for found in sorted(artifacts.glob(given["pattern"])):
                shutil.copytree(found, self.sources / given["path"] / found.name)
        else:
            assert name == "azure/login", name

    def _use_composite(self, step: Any, folder: Path, given: Mapping[str, Any], variables: Mapping[str, Any]) -> None:
        """An action made of steps: these see its inputs, their own outputs, and the variables of the step."""
        action = YAML(typ="safe").load(folder / "action.yml")
        declared = action["inputs"]
        assert set(given) <= set(declared), set(given) - set(declared)
        required = {name for name, said in declared.items() if said.get("required")}
        assert required <= set(given), required - set(given)
        defaults = self._expressions().fill({name: said.get("default", "") for name, said in declared.items()})
        inputs = {**defaults, **given}
        contexts, steps = self.contexts, self.steps
        self.contexts, self.steps = {"github": contexts["github"], "inputs": inputs}, {}
        self._steps(action["runs"]["steps"], variables)
        values = {name: said["value"] for name, said in action.get("outputs", {}).items()}
        outputs = self._expressions().fill(values)
        self.contexts, self.steps = contexts, steps
        if "id" in step:
            self.steps[step["id"]] = {"outputs": outputs, "outcome": "failure" if self.failed else "success"}

    def _fetch(self, given: Mapping[str, Any]) -> None:
        """A clone at the commit of the event, with its history or only that commit."""
        assert given["persist-credentials"] is False
        named = given.get("ref")
        ref = self.event.ref if not named else named if re.fullmatch("[0-9a-f]{40}", named) else f"refs/heads/{named}"
        whole = given.get("fetch-depth") == 0
        heads = ["+refs/heads/*:refs/remotes/origin/*"] if whole else []
        depth = [] if whole else ["--depth", "1"]
        source = f"file://{self.runner.repository}"
        git(self.sources, "init", "-q")
        git(self.sources, "fetch", "-q", *depth, source, *heads, f"+{ref}:refs/remotes/here")
        git(self.sources, "checkout", "-q", "--detach", "refs/remotes/here")

    def _upload(self, source: Path, artifact: Path, given: Mapping[str, Any]) -> None:
        """As the action does: no permissions, no links, and hidden files only when asked for."""
        hidden = given.get("include-hidden-files") is True
        if not source.exists() or (source.name.startswith(".") and not hidden):
            assert given["if-no-files-found"] == "ignore", source
            return
        shutil.rmtree(artifact, ignore_errors=True)
        if source.is_file():
            artifact.mkdir(parents=True)
            shutil.copyfile(source, artifact / source.name)
        for file in source.rglob("*"):
            place = artifact / file.relative_to(source)
            if file.is_file() and (hidden or not any(part.startswith(".") for part in file.relative_to(source).parts)):
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(file.read_bytes())

    def _run(self, step: Any, variables: Mapping[str, Any]) -> None:
        assert "${{" not in step["run"], step["name"]
        assert (step.get("shell") or self.shell) == "bash", step["name"]
        files = {name: self.temporary / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STEP_SUMMARY")}
        for file in files.values():
            file.write_text("")
        known = {**self._machine_variables(), **{name: str(file) for name, file in files.items()}, **self.more}
        said = {name: _said(value) for name, value in variables.items()}
        done = self.run(step["run"], {**known, **said}, "-eo", "pipefail")
        outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
        self.more |= dict(line.split("=", 1) for line in files["GITHUB_ENV"].read_text().splitlines())
        self.runner.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        if "id" in step:
            self.steps[step["id"]] = {"outputs": outputs, "outcome": "failure" if done.exit_code else "success"}

    def _machine_variables(self) -> dict[str, str]:
        return {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": "octocat",
            "GITHUB_API_URL": self.runner.environment.get("API_OF_GITHUB", "http://127.0.0.1:9"),
            "GITHUB_EVENT_NAME": self.event.name,
            "GITHUB_EVENT_PATH": str(self.temporary / "event.json"),
            "GITHUB_REF": self.event.ref,
            "GITHUB_REPOSITORY": "o/r",
            "GITHUB_SHA": self.event.commit,
            "GITHUB_WORKSPACE": str(self.sources),
            "RUNNER_TEMP": str(self.temporary),
        }


def _said(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else "" if value is None else str(value)
