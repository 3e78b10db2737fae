"""One machine of Azure DevOps, for the runner in tests: its steps, with stand-ins for tasks."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azure_pipeline_expressions import Expressions
from ci_machine import CiMachine, plain_name, put_program

if TYPE_CHECKING:
    from azure_pipeline_runner import AzurePipelineRunner

__all__ = ["Machine"]

_MACRO = re.compile(r"\$\(([A-Za-z][\w.]*)\)")
_COMMAND = re.compile(r"##vso\[([^ \]]+) ?([^\]]*)\](.*)")


class Machine(CiMachine):
    """One job on a clean machine."""

    def __init__(self, runner: AzurePipelineRunner, key: str, known: Mapping[str, str]) -> None:
        super().__init__(runner.place / plain_name(key), runner.environment, runner.log.append)
        self.runner, self.key = runner, key
        self.known = {
            "Agent.OS": "Linux",
            "Agent.TempDirectory": str(self.temporary),
            "Build.SourcesDirectory": str(self.sources),
            "Pipeline.Workspace": str(self.place),
            "System.JobAttempt": str(runner.attempt),
            **known,
        }

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
        self.tell(f"[{self.key}: {step.get('displayName') or 'checkout'}]\n")
        if "checkout" in step:
            assert (step["fetchDepth"], step["persistCredentials"]) == ("0", "false")
            self.take_files(self.runner.repository, self.runner.commit)
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
            shutil.copytree(inputs["targetPath"], artifacts / inputs["artifact"])  # which fails if it is there
        elif task == "DownloadPipelineArtifact@2":
            patterns = [each.removesuffix("/**") for each in inputs["itemPattern"].splitlines()]
            for found in sorted({each for pattern in patterns for each in artifacts.glob(pattern)}):
                shutil.copytree(found, Path(inputs["targetPath"]) / found.name)
        else:
            assert task == "Cache@2", task

    def _run(self, script: str, step: Mapping[str, Any]) -> None:
        """A secret is no variable of a script: what wants it says so in ``env``."""
        shared = {re.sub(r"[. ]", "_", name).upper(): value for name, value in self.known.items()}
        secret = {"FLOWYARD_APPROVAL_KEY", "FLOWYARD_STORE", "SYSTEM_ACCESSTOKEN"}
        variables = {name: value for name, value in shared.items() if name not in secret}
        done = self.run(script, {**variables, **step.get("env", {})})
        for line in done.text.splitlines():
            self._command(line, step.get("name", ""))

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
