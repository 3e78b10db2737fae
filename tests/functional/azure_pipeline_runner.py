"""Runs generated pipelines of Azure DevOps on this machine: their own scripts, in order, in clean clones.

Templates are expanded as Azure DevOps does it, for the part of it that is generated. Tasks are replaced by the least
that does the same: a clone, this Python, copies of folders, an answer of people.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from azure_pipeline_expressions import Expressions
from azure_pipeline_machine import Machine
from ci_machine import git
from ruamel.yaml import YAML

__all__ = ["AzurePipelineRunner", "expand"]

_IF = re.compile(r"\$\{\{ if (.*) \}\}")
_TEMPLATE = re.compile(r"\$\{\{ ([^{}]*) \}\}")
_WELL = ("Succeeded", "SucceededWithIssues")
_BRANCHES = {
    "pr": "refs/pull/7/merge",
    "dev": "refs/heads/development",
    "prod": "refs/heads/main",
    "post": "refs/heads/main",
}
Read = Callable[[PurePosixPath], Any]


def expand(read: Read, path: PurePosixPath, given: Mapping[str, Any]) -> Any:
    """A file with its templates put in. A parameter that is not declared, or not one of its values, fails."""
    data = dict(read(path))
    parameters = {}
    declared = {each["name"]: each for each in data.pop("parameters", [])}
    assert set(given) <= set(declared), f"{path}: {set(given) - set(declared)}"
    for name, each in declared.items():
        assert name in given or "default" in each, f"{path}: {name} is not given"
        value = given.get(name, each.get("default"))
        if each["type"] == "boolean":
            assert value in (True, False, "true", "false"), value
            value = value in (True, "true")
        assert value in each.get("values", [value]), f"{path}: {name} cannot be {value}"
        parameters[name] = value
    return _filled(read, path.parent, data, Expressions({"parameters": parameters}))


def _filled(read: Read, folder: PurePosixPath, value: Any, known: Expressions) -> Any:
    if isinstance(value, Mapping):
        return {key: _filled(read, folder, each, known) for key, each in value.items()}
    if isinstance(value, list):
        return [part for each in value for part in _items(read, folder, each, known)]
    if not isinstance(value, str):
        return value
    whole = _TEMPLATE.fullmatch(value)
    return known.evaluate(whole[1]) if whole else _TEMPLATE.sub(lambda each: str(known.evaluate(each[1])), value)


def _items(read: Read, folder: PurePosixPath, item: Any, known: Expressions) -> Iterator[Any]:
    """What an item of a list becomes: what a condition lets in, what is in a template, or itself."""
    if isinstance(item, Mapping) and len(item) == 1 and (found := _IF.fullmatch(next(iter(item)))):
        if known.evaluate(found[1]):
            yield from _filled(read, folder, next(iter(item.values())), known)
    elif isinstance(item, Mapping) and "template" in item:
        given = _filled(read, folder, item.get("parameters", {}), known)
        path, _, repository = item["template"].partition("@")
        place = PurePosixPath(f"@{repository}", path) if repository else folder / path
        inner = expand(read, place, given)
        yield from next(iter(inner.values()))
    else:
        yield _filled(read, folder, item, known)


@dataclass
class AzurePipelineRunner:
    """``groups`` are the variable groups, with what is in them. ``answer`` is asked by ``ManualValidation``: it says
    ``approve``, ``reject`` or ``nothing``. ``environment`` is what the machines have besides. ``resources`` are other
    repositories, by the names that files have for them.
    """

    repository: Path
    folder: Path
    answer: Callable[[], str] = lambda: "nothing"
    groups: dict[str, Mapping[str, str]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, Path] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    sources: dict[str, Path] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    summaries: list[str] = field(default_factory=list)
    published: list[Path] = field(default_factory=list)
    runs: int = 0

    def run(self, name: str, commit: str, **variables: str) -> dict[str, str]:
        """Run an entry file of ours as it is at a commit."""
        return self.run_file(f".azure-pipelines/flowyard-{name}-pipeline.yml", commit, **variables)

    def run_file(self, path: str, commit: str, **variables: str) -> dict[str, str]:
        """Run a file; results by ``stage``, ``stage.job`` and ``stage.job.leg``. Steps alone are a job."""
        self.results, self.outputs, self.log, self.runs = {}, {}, [], self.runs + 1
        self.summaries, self.published, self.sources, self.attempt = [], [], {}, 1
        self.place = self.folder / f"run{self.runs}"
        (self.place / "artifacts").mkdir(parents=True)
        self.commit = commit
        data = expand(self._read, PurePosixPath(path), {})
        if "steps" in data:
            alone = {"job": "Job", "pool": data["pool"], "steps": data["steps"]}
            data["stages"] = [{"stage": "__default", "jobs": [alone]}]
        self.stages = data["stages"]
        branch = next((each for key, each in _BRANCHES.items() if f"-{key}-" in path), _BRANCHES["pr"])
        self.variables = {"Build.SourceBranch": branch, **variables}
        self.group_names = [each["group"] for each in data.get("variables", [])]
        for stage in self.stages:
            self._stage(stage, self._known())
        return self.results

    @property
    def text(self) -> str:
        """All that steps wrote."""
        return "".join(self.log)

    def again(self, first: str) -> dict[str, str]:
        """Do a stage of the last run and all after it once more: what was published before stays as it is."""
        self.attempt += 1
        names = [stage["stage"] for stage in self.stages]
        later = names[names.index(first) :]
        self.results = {key: said for key, said in self.results.items() if key.split(".")[0] not in later}
        for name in later:
            for folder in self.place.glob(f"{name}.*"):
                folder.rename(self.place / f"earlier.{len(list(self.place.iterdir()))}")
        for stage in self.stages[names.index(first) :]:
            self._stage(stage, self._known())
        return self.results

    def _known(self) -> dict[str, str]:
        """The variables of the run, with what is in its groups by now."""
        return dict(self.variables) | {
            name: text for each in self.group_names for name, text in self.groups[each].items()
        }

    def _read(self, path: PurePosixPath) -> Any:
        if path.parts[0].startswith("@"):
            return YAML(typ="safe").load(self.resources[path.parts[0][1:]] / path.relative_to(path.parts[0]))
        return YAML(typ="safe").load(git(self.repository, "show", f"{self.commit}:{path}"))

    def _stage(self, stage: Any, known: Mapping[str, str]) -> None:
        name, needs = stage["stage"], _listed(stage.get("dependsOn", []))
        before = {need: {"result": self.results[need], "outputs": self._outputs(f"{need}.")} for need in needs}
        if not self._holds(stage.get("condition"), {"dependencies": before}, [self.results[each] for each in needs]):
            self.results[name] = "Skipped"
            return
        stages: dict[str, dict[str, Any]] = {}
        for need in needs:
            jobs = [key.split(".")[1] for key in self.results if key.startswith(f"{need}.") and key.count(".") == 1]
            stages[need] = {
                job: {"result": self.results[f"{need}.{job}"], "outputs": self._outputs(f"{need}.{job}.")}
                for job in jobs
            }
        for job in stage["jobs"]:
            self._job(name, job, known, stages)
        done = [self.results[f"{name}.{job['job']}"] for job in stage["jobs"]]
        self.results[name] = "Failed" if "Failed" in done else "Succeeded"

    def _outputs(self, prefix: str) -> dict[str, str]:
        return {key.removeprefix(prefix): value for key, value in self._all_outputs() if key.startswith(prefix)}

    def _all_outputs(self) -> Iterator[tuple[str, str]]:
        for place, values in self.outputs.items():
            for name, value in values.items():
                yield f"{place}.{name}", value

    def _job(self, stage: str, job: Any, known: Mapping[str, str], stages: Mapping[str, Any]) -> None:
        name, needs = job["job"], _listed(job.get("dependsOn", []))
        key = f"{stage}.{name}"
        before = {
            need: {"result": self.results[f"{stage}.{need}"], "outputs": self._outputs(f"{stage}.{need}.")}
            for need in needs
        }
        contexts = {"dependencies": before, "stageDependencies": stages}
        if not self._holds(job.get("condition"), contexts, [each["result"] for each in before.values()]):
            self.results[key] = "Skipped"
            return
        own = {each: str(_evaluated(said, contexts)) for each, said in job.get("variables", {}).items()}
        legs: Mapping[str, Mapping[str, str]] = {"": {}}
        if "strategy" in job:
            legs = json.loads(_evaluated(job["strategy"]["matrix"], contexts))
            assert legs, "an empty matrix is an error"
        for leg, values in legs.items():
            done = self._leg(key, leg, job, {**known, **own, **values})
            self.results[f"{key}.{leg}" if leg else key] = done
        if "strategy" in job:
            done = [self.results[f"{key}.{leg}"] for leg in legs]
            self.results[key] = "Failed" if "Failed" in done else "Succeeded"

    @staticmethod
    def _holds(condition: str | None, contexts: Mapping[str, Any], before: Sequence[str]) -> bool:
        well = all(each in _WELL for each in before)
        status = {"succeeded": well, "canceled": False, "failed": "Failed" in before}
        return bool(Expressions(contexts, status).evaluate(condition or "succeeded()"))

    def _leg(self, key: str, leg: str, job: Any, known: Mapping[str, str]) -> str:
        if job["pool"] == "server":
            (task,) = job["steps"]
            assert task["task"] == "ManualValidation@1"
            assert task["inputs"]["onTimeout"] == "reject"
            assert task["timeoutInMinutes"] < int(job["timeoutInMinutes"])
            return "Succeeded" if self.answer() == "approve" else "Failed"
        return Machine(self, f"{key}.{leg}" if leg else key, known).work(job["steps"])


def _evaluated(text: str, contexts: Mapping[str, Any]) -> Any:
    """``$[ expression ]``"""
    return Expressions(contexts).evaluate(text.removeprefix("$[").removesuffix("]"))


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
