"""Runs generated workflows of GitHub on this machine: their own commands, in order, in clean clones.

What ``uses`` names is replaced by the least that does the same: a clone at the commit, this Python, copies of folders.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from functional_helper import clean_environment
from ruamel.yaml import YAML
from workflow_expressions import Expressions

__all__ = ["Event", "JobDone", "WorkflowRunner"]

_PYTHON = """\
#!/bin/sh
# Python, whose pip installs nothing: the flowyard of these tests is put where a script would be.
if [ "$1 $2 $3" = "-m pip install" ]; then
  echo "$@" >> "$PIP_LOG"
  printf '#!/bin/sh\\nexec "%s" -m flowyard "$@"\\n' > "$(dirname "$0")/flowyard"
  chmod 755 "$(dirname "$0")/flowyard"
  exit 0
fi
exec "%s" "$@"
""".replace("%s", sys.executable)


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
    machine has besides. ``on_line`` sees each line that a step writes, while the step goes on.
    """

    repository: Path
    folder: Path
    secrets: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
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
        shown = self._git("show", f"{commit}:.github/workflows/{file}")
        return YAML(typ="safe").load(shown)

    @property
    def text(self) -> str:
        """All that steps wrote."""
        return "".join(self.log)

    def _git(self, *words: str | Path, cwd: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=cwd or self.repository,
            env=_git_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

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
        return _Machine(self, workflow, event, contexts, name).work(job)

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

    def fetch(self, workspace: Path, event: Event, given: Mapping[str, Any]) -> None:
        """A clone at the commit of the event, with its history or only that commit."""
        assert given["persist-credentials"] is False
        named = given.get("ref")
        ref = event.ref if not named else named if re.fullmatch("[0-9a-f]{40}", named) else f"refs/heads/{named}"
        self._git("init", "-q", workspace)
        whole = given.get("fetch-depth") == 0
        heads = ["+refs/heads/*:refs/remotes/origin/*"] if whole else []
        depth = [] if whole else ["--depth", "1"]
        self._git(
            "fetch", "-q", *depth, f"file://{self.repository}", *heads, f"+{ref}:refs/remotes/here", cwd=workspace
        )
        self._git("checkout", "-q", "--detach", "refs/remotes/here", cwd=workspace)


class _Machine:
    """One job on a clean machine: a workspace, a folder for temporary files, and nothing installed."""

    def __init__(
        self, runner: WorkflowRunner, workflow: Any, event: Event, contexts: Mapping[str, Any], name: str
    ) -> None:
        self.runner, self.workflow, self.event, self.contexts = runner, workflow, event, contexts
        place = runner.folder / f"run{runner.runs}" / re.sub(r"[^A-Za-z0-9.-]", "_", name)
        self.workspace, self.temporary, self.programs = (place / each for each in ("work", "temp", "bin"))
        for each in (self.workspace, self.temporary, self.programs):
            each.mkdir(parents=True)
        self.steps: dict[str, Any] = {}
        self.failed = False
        self.more: dict[str, str] = {}
        (self.temporary / "event.json").write_text(json.dumps(event.payload))

    def work(self, job: Any) -> JobDone:
        """All steps; each after a failed one only if its condition says so."""
        for step in job["steps"]:
            expressions = self._expressions()
            if not expressions.holds(step.get("if")):
                continue
            self.runner.log.append(f"[step {step['name']}]\n")
            if "uses" in step:
                self._use(step["uses"], expressions.fill(step.get("with", {})))
            else:
                self._run(step, expressions.fill(step.get("env", {})))
        outputs = self._expressions().fill(job.get("outputs", {}))
        return JobDone("failure" if self.failed else "success", outputs, self.workspace)

    def _expressions(self) -> Expressions:
        contexts = {**self.contexts, "steps": self.steps, "runner": {"temp": str(self.temporary)}}
        return Expressions(contexts, failed=self.failed)

    def _use(self, reference: str, given: Mapping[str, Any]) -> None:
        name, _, commit = reference.partition("@")
        assert re.fullmatch("[0-9a-f]{40}", commit), reference
        artifacts = self.runner.artifacts
        if name == "actions/checkout":
            self.runner.fetch(self.workspace, self.event, given)
        elif name == "actions/setup-python":
            program = self.programs / "python"
            program.write_text(_PYTHON)
            program.chmod(0o755)
        elif name == "actions/upload-artifact":
            self._upload(self._place(given["path"]), artifacts / given["name"], given)
        elif name == "actions/download-artifact" and "name" in given:
            shutil.copytree(artifacts / given["name"], self._place(given["path"]), dirs_exist_ok=True)
        elif name == "actions/download-artifact":
            for found in sorted(artifacts.glob(given["pattern"])):
                shutil.copytree(found, self._place(given["path"]) / found.name)
        else:
            assert name == "azure/login", name

    def _place(self, path: str) -> Path:
        return self.workspace / path

    def _upload(self, source: Path, artifact: Path, given: Mapping[str, Any]) -> None:
        """As the action does: no permissions, no links, and hidden files only when asked for."""
        hidden = given.get("include-hidden-files") is True
        if not source.exists() or (source.name.startswith(".") and not hidden):
            assert given["if-no-files-found"] == "ignore", source
            return
        shutil.rmtree(artifact, ignore_errors=True)
        for file in source.rglob("*"):
            place = artifact / file.relative_to(source)
            if file.is_file() and (hidden or not any(part.startswith(".") for part in file.relative_to(source).parts)):
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(file.read_bytes())

    def _run(self, step: Any, variables: Mapping[str, Any]) -> None:
        assert "${{" not in step["run"], step["name"]
        shell = step.get("shell") or self.workflow["defaults"]["run"]["shell"]
        assert shell == "bash"
        files = {name: self.temporary / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STEP_SUMMARY")}
        for file in files.values():
            file.write_text("")
        script = self.temporary / "step.sh"
        script.write_text(step["run"])
        environment = {**self._machine_variables(), **{name: str(file) for name, file in files.items()}, **self.more}
        environment |= {name: _said(value) for name, value in variables.items()}
        with subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
            cwd=self.workspace,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        ) as process:
            try:
                for line in process.stdout or ():
                    self.runner.log.append(line)
                    self.runner.on_line(self.workspace, line)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        if process.returncode:
            self.failed = True
            self.runner.log.append(f"[exit code {process.returncode}]\n")
        outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
        self.more |= dict(line.split("=", 1) for line in files["GITHUB_ENV"].read_text().splitlines())
        self.runner.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        if "id" in step:
            self.steps[step["id"]] = {"outputs": outputs, "outcome": "failure" if process.returncode else "success"}

    def _machine_variables(self) -> dict[str, str]:
        inherited = clean_environment(self.runner.environment)
        inherited = {name: value for name, value in inherited.items() if not name.startswith(("GITHUB_", "CI"))}
        names = {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": "octocat",
            "GITHUB_API_URL": self.runner.environment.get("API_OF_GITHUB", "http://127.0.0.1:9"),
            "GITHUB_EVENT_NAME": self.event.name,
            "GITHUB_EVENT_PATH": str(self.temporary / "event.json"),
            "GITHUB_REF": self.event.ref,
            "GITHUB_REPOSITORY": "o/r",
            "GITHUB_SHA": self.event.commit,
            "GITHUB_WORKSPACE": str(self.workspace),
            "PIP_LOG": str(self.runner.folder / "pip.log"),
            "RUNNER_TEMP": str(self.temporary),
            "HOME": str(self.temporary.parent / "account"),
            "PATH": f"{self.programs}{os.pathsep}{inherited['PATH']}",
        }
        return {**inherited, **names}


def _needs(job: Any) -> list[str]:
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else needs


def _said(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else "" if value is None else str(value)


def _git_environment() -> dict[str, str]:
    return clean_environment({"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull})
