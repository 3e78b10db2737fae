"""Runs generated Jenkinsfiles on this machine: their own scripts, in order, in clean clones.

Blocks are done as Jenkins does them, for the part of them that is generated: a stage whose ``input`` is not answered
with a yes never comes to a ``post`` of its own, and a stash of nothing is an error unless it is allowed. Steps are
replaced by the least that does the same: a clone, this Python, copies of folders, an answer of people.
https://github.com/jenkinsci/pipeline-model-definition-plugin (``ModelInterpreter``: ``evaluateStage``, ``stageInput``)
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ci_machine import CiMachine, plain_name, put_program
from git_helper import git
from jenkins_files import Block, read_blocks

__all__ = ["JenkinsRunner"]

_SCRIPT = re.compile(r"(?:env\.(\w+) = sh\(returnStdout: true, script: |sh )@long(\d+)@(?:\)\.trim\(\))?")


class _Stopped(Exception):
    """A build goes no further: what it came to."""


@dataclass
class JenkinsRunner:
    """``answer`` is asked by ``input``: it says who said yes, or nothing after a no and when nobody answered in time.
    ``credentials`` are those of Jenkins; ``known`` are variables that it sets, or a machine has. ``left`` are files
    that builds before left on the machines, with their text.
    """

    repository: Path
    folder: Path
    answer: Callable[[], str] = str
    credentials: Mapping[str, str] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    jobs: set[str] = field(default_factory=set)
    stages: dict[str, str] = field(default_factory=dict)
    sources: dict[str, Path] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    published: list[Path] = field(default_factory=list)
    builds: int = 0

    def run(self, name: str, commit: str, **parameters: str) -> str:
        """Build a Jenkinsfile as it is at a commit: SUCCESS, FAILURE or ABORTED; ``stages`` has the stages' results."""
        self.commit, self.stages, self.sources, self.published, self.log = commit, {}, {}, [], []
        top, self.scripts = read_blocks(git(self.repository, "show", f"{commit}:.jenkins/Jenkinsfile.{name}"))
        (pipeline,) = top.items
        assert isinstance(pipeline, Block)
        declared = self._declared(pipeline) if name in self.jobs else {}
        self.jobs.add(name)
        self.variables = {**declared, "BUILD_URL": "https://ci.example.com/job/1/", **self.known, **parameters}
        return self._build(pipeline)

    @staticmethod
    def _declared(pipeline: Block) -> dict[str, str]:
        """Parameters by their defaults. A job's first build has none: it is what tells Jenkins of them."""
        lines = pipeline.lines("parameters")
        found = [re.match(r"string\(name: '(\w+)', defaultValue: '(\w*)'", line) for line in lines]
        return {each[1]: each[2] for each in found if each}

    @property
    def text(self) -> str:
        """All that steps wrote."""
        return "".join(self.log)

    def _build(self, pipeline: Block) -> str:
        self.builds, self.result = self.builds + 1, "SUCCESS"
        shutil.rmtree(self._stash, ignore_errors=True)
        assert "agent none" in pipeline.items
        for stage in self._stages_of(pipeline):
            self._stage(stage, None)
        self._post(pipeline, None)
        return self.result

    @property
    def _stash(self) -> Path:
        return self.folder / "stash"

    @staticmethod
    def _stages_of(block: Block) -> list[Block]:
        stages = block.part("stages")
        return [each for each in stages.items if isinstance(each, Block)] if stages else []

    def _stage(self, stage: Block, machine: CiMachine | None) -> None:
        """Before a stage's own agent come its conditions and its question; after its steps comes its ``post``."""
        name = stage.head.removeprefix("stage('").removesuffix("')")
        if self.result != "SUCCESS":
            self.stages[name] = "SKIPPED"
            return
        before = dict(self.variables)
        try:
            if not self._starts(stage):
                self.stages[name] = "SKIPPED"
                return
            self._work(stage, machine or self._machine_of(stage, name))
            self.stages[name] = self.result
        except _Stopped as stopped:
            self.result = self.stages[name] = str(stopped)
        finally:
            for bound in ("FLOWYARD_APPROVER", *self._bound(stage.lines("environment"))):
                self.variables.pop(bound, None)
                self.variables |= {bound: before[bound]} if bound in before else {}

    def _starts(self, stage: Block) -> bool:
        when = stage.part("when")
        if when is not None and not self._meets(when):
            return False
        if stage.part("input") is not None:
            assert stage.lines("options") == ["timeout(time: 60, unit: 'MINUTES')"]
            assert "agent none" in stage.items, "people take their time, and no machine waits for them"
            by = self.answer()
            if not by:
                raise _Stopped("ABORTED")
            assert "submitterParameter 'FLOWYARD_APPROVER'" in stage.lines("input")
            self.variables["FLOWYARD_APPROVER"] = by
        return True

    def _meets(self, when: Block) -> bool:
        """Looked at before anybody is asked, or a machine is taken."""
        first, *conditions = [each for each in when.items if isinstance(each, str)]
        assert first in ("beforeInput true", "beforeAgent true")
        for condition in conditions:
            if condition == "not { changeRequest() }":
                holds = not self.variables.get("CHANGE_TARGET")
            elif branches := re.fullmatch(r"expression .*BRANCH_NAME in \[(.*)\] \}", condition):
                branch = self.variables.get("BRANCH_NAME", "")
                holds = not branch or f"'{branch}'" in branches[1].split(", ")
            else:
                found = re.fullmatch(r"expression \{ return (.*) \}", condition)
                assert found, condition
                holds = self._holds(found[1])
            if not holds:
                return False
        return True

    def _machine_of(self, stage: Block, name: str) -> CiMachine | None:
        if stage.part("agent") is None:
            return None
        self.variables |= self._bound(stage.lines("environment"))
        machine = self._machine(name)
        self._take_files(machine)
        return machine

    def _take_files(self, machine: CiMachine) -> None:
        machine.take_files(self.repository, self.commit)
        for path, text in self.left.items():
            (machine.sources / path).parent.mkdir(parents=True, exist_ok=True)
            (machine.sources / path).write_text(text)

    def _machine(self, name: str) -> CiMachine:
        machine = CiMachine(self.folder / f"build{self.builds}" / plain_name(name), {}, self.log.append)
        put_program(machine.programs / "python3.12")
        put_program(machine.programs / "python")
        self.sources[name] = machine.sources
        return machine

    def _bound(self, lines: Sequence[str]) -> dict[str, str]:
        """A credential that is not there fails the build."""
        found = [re.fullmatch(r"(\w+) = credentials\('(\w+)'\)", line) for line in lines]
        return {each[1]: self.credentials[each[2]] for each in found if each}

    def _work(self, stage: Block, machine: CiMachine | None) -> None:
        try:
            for inner in self._stages_of(stage):
                self._stage(inner, machine)
            steps = stage.part("steps")
            self._do(steps.items if steps else [], machine)
        except _Stopped as stopped:
            self.result = str(stopped)
        finally:
            self._post(stage, machine)

    def _post(self, block: Block, machine: CiMachine | None) -> None:
        """In Jenkins's order; what fails there is a failure too."""
        post = block.part("post")
        wanted = {"always", "success" if self.result == "SUCCESS" else "unsuccessful"}
        assert post is None or {each.head for each in post.items if isinstance(each, Block)} <= {*wanted, *_POSTS}
        for head in _POSTS:
            part = post.part(head) if post and head in wanted else None
            try:
                self._do(part.items if part else [], machine)
            except _Stopped as stopped:
                self.result = str(stopped) if self.result == "SUCCESS" else self.result

    def _do(self, items: Sequence[str | Block], machine: CiMachine | None) -> None:
        for item in items:
            if isinstance(item, Block):
                self._do_block(item, machine)
            elif (said := re.fullmatch(r"env\.(\w+) = env\.(\w+)", item)) is not None:
                self.variables[said[1]] = self.variables.get(said[2], "")
            else:
                assert machine is not None, f"{item} needs a machine"
                self._step(item, machine)

    def _do_block(self, block: Block, machine: CiMachine | None) -> None:
        if condition := re.fullmatch(r"if \((.*)\)", block.head):
            self._do(block.items if self._holds(condition[1]) else [], machine)
        elif block.head.startswith("node("):
            self._do(block.items, self._machine(f"after{self.builds}"))
        elif block.head.startswith("withCredentials("):
            bound = dict(re.findall(r"string\(credentialsId: '(\w+)', variable: '(\w+)'\)", block.head))
            before = dict(self.variables)
            is_withheld = "env.CHANGE_FORK ? [] : " in block.head and self.variables.get("CHANGE_FORK")
            self.variables |= {} if is_withheld else {name: self.credentials[id_] for id_, name in bound.items()}
            self._do(block.items, machine)
            self.variables = before
        else:
            assert block.head == "script", block.head
            self._do(block.items, machine)

    def _step(self, step: str, machine: CiMachine) -> None:
        stash = self._stash
        if script := _SCRIPT.fullmatch(step):
            done = machine.run(self.scripts[int(script[2])], self._environment(machine), apart=bool(script[1]))
            if done.exit_code:
                raise _Stopped("FAILURE")
            if script[1]:
                self.variables[script[1]] = done.text.strip()
        elif step == "checkout scm":
            self._take_files(machine)
        elif found := re.fullmatch(
            r"stash name: 'home', includes: '([\w.]+)/\*\*', useDefaultExcludes: false(.*)", step
        ):
            kept = machine.sources / found[1]
            if kept.is_dir():
                shutil.copytree(kept, stash / found[1])
            elif found[2] != ", allowEmpty: true":
                raise _Stopped("FAILURE")
        elif step == "unstash 'home'":
            if stash.is_dir():
                shutil.copytree(stash, machine.sources, dirs_exist_ok=True)
        elif step.startswith("junit "):
            self.published += sorted((machine.sources / ".flowyard/reports").glob("**/*.junit.xml"))
        else:
            assert step.startswith("archiveArtifacts "), step

    def _environment(self, machine: CiMachine) -> dict[str, str]:
        return {**self.variables, "WORKSPACE_TMP": str(machine.temporary)}

    def _holds(self, condition: str) -> bool:
        """``env.A``, ``!env.A`` or ``env.A?.trim()``, joined by ``&&``."""
        for part in condition.split(" && "):
            found = re.fullmatch(r"(!?)env\.(\w+)(?:\?\.trim\(\))?", part)
            assert found, condition
            if bool(self.variables.get(found[2], "").strip()) == bool(found[1]):
                return False
        return True


_POSTS = ("always", "success", "unsuccessful")
