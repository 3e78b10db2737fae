"""One machine of Azure DevOps, for the runner in tests: its steps, with stand-ins for tasks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azure_pipeline_expressions import Expressions
from ci_machine import WHERE_FLOWYARD_IS, put_program
from functional_helper import clean_environment
from git_helper import git

if TYPE_CHECKING:
    from azure_pipeline_runner import AzurePipelineRunner

__all__ = ["Machine"]

_MACRO = re.compile(r"\$\(([A-Za-z][\w.]*)\)")
_COMMAND = re.compile(r"##vso\[([^ \]]+) ?([^\]]*)\](.*)")


class Machine:
    """One job on a clean machine."""

    def __init__(self, runner: AzurePipelineRunner, key: str, known: Mapping[str, str]) -> None:
        self.runner, self.key = runner, key
        place = runner.place / re.sub(r"[^A-Za-z0-9.-]", "_", key)
        self.sources, self.temporary, self.programs, account = (place / each for each in ("s", "t", "bin", "account"))
        for each in (self.temporary, self.programs, account):
            each.mkdir(parents=True)
        self.known = {
            "Agent.OS": "Linux",
            "Agent.TempDirectory": str(self.temporary),
            "Build.SourcesDirectory": str(self.sources),
            "Pipeline.Workspace": str(place),
            "System.JobAttempt": "1",
            **known,
        }
        self.account = account
        self.failed = False

    def work(self, steps: Sequence[Any]) -> str:
        """All steps; each after a failed one only if its condition says so."""
        for step in steps:
            status = {"succeeded": not self.failed, "failed": self.failed, "succeededOrFailed": True}
            said = Expressions({"variables": self.known}, status).evaluate(step.get("condition") or "succeeded()")
            if said:
                self._step(self._with_macros(step))
        self.runner.sources[self.key] = self.sources
        return "Failed" if self.failed else "Succeeded"

    def _with_macros(self, value: Any) -> Any:
        """``$(name)`` is put in anywhere, also into the text of scripts; what is not known stays as it is."""
        if isinstance(value, Mapping):
            return {key: self._with_macros(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._with_macros(each) for each in value]
        if not isinstance(value, str):
            return value
        return _MACRO.sub(lambda found: self.known.get(found[1], found[0]), value)

    def _step(self, step: Mapping[str, Any]) -> None:
        self.runner.text += f"[{self.key}: {step.get('displayName') or 'checkout'}]\n"
        if "checkout" in step:
            assert (step["fetchDepth"], step["persistCredentials"]) == ("0", "false")
            git(self.runner.repository, "clone", "-q", f"file://{self.runner.repository}", self.sources)
            git(self.sources, "checkout", "-q", "--detach", self.runner.commit)
        elif "bash" in step:
            self._run(step["bash"], step)
        else:
            self._task(step["task"], step["inputs"], step)

    def _task(self, task: str, inputs: Mapping[str, Any], step: Mapping[str, Any]) -> None:
        artifacts = self.runner.place / "artifacts"
        if task == "AzureCLI@2":
            assert "addSpnToEnvironment" not in inputs
            self._run(inputs["inlineScript"], step)
        elif task == "UsePythonVersion@0":
            put_program(self.programs / "python")
        elif task == "PublishTestResults@2":
            self.runner.published += sorted(Path(inputs["searchFolder"]).glob(inputs["testResultsFiles"]))
        elif task == "PublishPipelineArtifact@1":
            assert not re.search(r'[\\/":<>|*?$]', inputs["artifact"]), inputs["artifact"]
            shutil.copytree(inputs["targetPath"], artifacts / inputs["artifact"])
        elif task == "DownloadPipelineArtifact@2" and "artifactName" in inputs:
            shutil.copytree(artifacts / inputs["artifactName"], inputs["targetPath"], dirs_exist_ok=True)
        elif task == "DownloadPipelineArtifact@2":
            for found in sorted(artifacts.glob(inputs["itemPattern"].removesuffix("/**"))):
                shutil.copytree(found, Path(inputs["targetPath"]) / found.name)
        else:
            assert task == "Cache@2", task

    def _run(self, script: str, step: Mapping[str, Any]) -> None:
        inherited = clean_environment(self.runner.environment)
        shared = {re.sub(r"[. ]", "_", name).upper(): value for name, value in self.known.items()}
        secret = {"FLOWYARD_APPROVAL_KEY", "FLOWYARD_STORE", "SYSTEM_ACCESSTOKEN"}
        environment = {
            **inherited,
            **{name: value for name, value in shared.items() if name not in secret},
            "HOME": str(self.account),
            "PATH": f"{self.programs}{os.pathsep}{inherited['PATH']}",
            WHERE_FLOWYARD_IS: str(self.programs),
            **step.get("env", {}),
        }
        file = self.temporary / "step.sh"
        file.write_text(script)
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", file],
            cwd=self.sources,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.runner.text += done.stdout
        for line in done.stdout.splitlines():
            self._command(line, step.get("name", ""))
        if done.returncode:
            self.runner.text += f"[exit code {done.returncode}]\n"
            self.failed = True

    def _command(self, line: str, step: str) -> None:
        found = _COMMAND.search(line)
        if found is None:
            return
        if found[1] == "task.uploadsummary":
            self.runner.summaries.append(Path(found[3]).read_text())
            return
        assert found[1] == "task.setvariable", line
        name = dict(part.split("=") for part in found[2].split(";"))["variable"]
        assert step, line
        self.runner.outputs.setdefault(f"{self.key}.{step}", {})[name] = found[3]
