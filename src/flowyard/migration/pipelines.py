"""Definitions of CI pipelines: which stage each step is, and what does it here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flowyard.errors import UserError
from flowyard.migration.model import FindingKind
from flowyard.migration.notes import Notes, read_text
from flowyard.migration.places import iter_files
from flowyard.migration.scripts import SCRIPTS

__all__ = ["check_pipeline", "is_pipeline", "iter_pipelines", "pipeline_owner"]

_MODULE = re.compile(r"\b((?:llmops|dataops)[./]common[./][a-z_./]+?)(?:\.py)?(?=[\s'\"\\]|$)")


@dataclass(frozen=True, slots=True)
class _Pattern:
    """Something in a line that says what the step is."""

    text: re.Pattern[str]
    kind: FindingKind
    message: str
    advice: str = ""


def _pattern(text: str, kind: FindingKind, message: str, advice: str = "") -> _Pattern:
    return _Pattern(re.compile(text), kind, message, advice)


_PATTERNS = (
    _pattern(
        r"actions/(?:upload|download)-artifact@v[123]\b",
        "problem",
        "This version of the artifact action is switched off by GitHub, so the step fails.",
        "Write @v4, and keep .flowyard/experiments: it has the reports of every run.",
    ),
    _pattern(
        r"(?i)(?:echo|printf).*(?:env_vars|connection_details|docker_args|registry_details)",
        "problem",
        "Secrets are printed here, or written into a file or the job's environment as one text.",
        "Give each secret as an environment variable of the step that needs it; docs/connections.md has the names.",
    ),
    _pattern(r"\bprintenv\b", "problem", "All variables, keys too, are printed to the log."),
    _pattern(
        r"ManualValidation@0",
        "replaced",
        "The approval of a person, asked for without a metric.",
        "flowyard release USE_CASE --env ENV asks with metrics and gates, and takes no answer in time for a no.",
    ),
    _pattern(
        r"\bflake8\b",
        "surprise",
        "flake8 looks at the template's own code and leaves flows out.",
        "flowyard flow validate --source FLOW checks a flow's file, code, prompts and connections.",
    ),
    _pattern(
        r"\baz\s+(?:webapp|appservice)\b",
        "replaced",
        "A web app is deployed.",
        "flowyard deploy apply USE_CASE --env ENV",
    ),
    _pattern(r"\bdocker\s+push\b", "replaced", "An image is pushed.", "flowyard image build USE_CASE --push"),
    _pattern(
        r"\bpf\s+flow\s+build\b", "replaced", "Builds an image's folder.", "flowyard flow build --source FLOW -o DIR"
    ),
    _pattern(r"\bpf\s+run\s+create\b", "replaced", "Makes a run.", "flowyard run create takes the same options."),
    _pattern(r"\bpf\s+flow\s+test\b", "replaced", "Tries a flow.", "flowyard flow test takes the same options."),
    _pattern(
        r"platform_pr_dev|_pr_dev_workflow|_pr_dev_pipeline",
        "replaced",
        "The check of a pull request: it ran variants and evaluated nothing.",
        "flowyard pipeline run pr USE_CASE, also in CI: flowyard pipeline generate github, azure-devops or jenkins.",
    ),
    _pattern(
        r"platform_ci_dev|_ci_dev_workflow|_ci_dev_pipeline",
        "replaced",
        "The pipeline of a branch: register data, run, evaluate.",
        "flowyard pipeline run dev USE_CASE --until register does all three; gates in experiment.yaml decide.",
    ),
    _pattern(
        r"platform_cd_dev", "replaced", "Continuous deployment.", "flowyard pipeline run dev USE_CASE --from approval"
    ),
)


def is_pipeline(file: Path, root: Path) -> bool:
    """Whether a file defines a pipeline of GitHub, Azure DevOps or Jenkins."""
    parts = file.relative_to(root).parts
    folders = set(parts[:-1])
    if file.suffix in (".yml", ".yaml") and (".azure-pipelines" in folders or parts[0] == ".github"):
        return True
    in_jenkins = any("jenkins" in folder.lower() for folder in folders)
    return file.name.startswith("Jenkinsfile") or file.suffix == ".groovy" or (in_jenkins and not file.suffix)


def pipeline_owner(file: Path, cases: list[Path]) -> Path | None:
    """The use case that a pipeline belongs to, by its folder or the beginning of its name."""
    inside = [case for case in cases if file.is_relative_to(case)]
    named = [case for case in cases if file.name.startswith(f"{case.name}_")]
    return next(iter([*inside, *sorted(named, key=lambda case: -len(case.name))]), None)


def check_pipeline(file: Path, notes: Notes) -> None:
    """Every step of a pipeline that flowyard knows something about."""
    try:
        text = read_text(file)
    except UserError as error:
        notes.invalid(file, error)
        return
    count, said = len(notes.found), set[str]()
    for number, line in [(1, file.stem), *enumerate(text.splitlines(), start=1)]:
        for module in _modules(line):
            _note_script(module, file, number, notes)
        for pattern in _PATTERNS:
            if pattern.text.search(line) and not line.lstrip().startswith("#"):
                if pattern.kind == "replaced" and pattern.message in said:
                    continue  # where it is replaced is the same for each line
                said.add(pattern.message)
                notes.add(pattern.kind, file, number, pattern.message, pattern.advice)
    if len(notes.found) == count:
        notes.add("works", file, 1, "Has no step of the template's own.", "Keep it.")


def _modules(line: str) -> Iterator[str]:
    if not line.lstrip().startswith("#"):
        yield from (match[1].replace("/", ".").strip(".") for match in _MODULE.finditer(line))


def _note_script(module: str, file: Path, number: int, notes: Notes) -> None:
    script = SCRIPTS.get(module)
    if script is None:
        notes.add(
            "later", file, number, f"{module} is not a script that flowyard knows.", "Keep it, or ask what it does."
        )
        return
    message = f"Stage {script.stage}: {module}."
    if script.command is None:
        notes.add("later", file, number, message, script.note)
    else:
        notes.add("replaced", file, number, message, f"{script.command}\n{script.note}")


def iter_pipelines(root: Path) -> Iterator[Path]:
    """The pipeline definitions below the root."""
    return (file for file in iter_files(root) if is_pipeline(file, root))
