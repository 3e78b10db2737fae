"""``experiment.yaml`` and its overlays: what of them surprised people, and whether flowyard can run them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from flowyard._util.suggest import known_names
from flowyard._util.yamlfile import YamlFile
from flowyard.errors import ExperimentInvalid, FlowyardError, Problem, UserError
from flowyard.experiments.load import load_experiment
from flowyard.experiments.plan import ExperimentPlan, plan_experiment
from flowyard.experiments.schema import BLOCKS
from flowyard.migration.notes import Notes, looks_secret, read_structured
from flowyard.migration.places import overlays
from flowyard.reports.values import plural

__all__ = ["IGNORED_IN_OVERLAYS", "check_experiment", "declared_connections", "known_keys"]

IGNORED_IN_OVERLAYS = ("name", "flow")
_TEMPLATE_KEYS = ("name", "flow", "runtime", "connections", "datasets", "evaluators")
_OURS = ("limits", "cache", *BLOCKS)
_Sources = list[tuple[tuple[str | int, ...], str]]
"""Where data is, each with the keys of its place in the file."""
_BLOCKS = ("datasets", "evaluators", "connections", "runtime")


def known_keys() -> tuple[str, ...]:
    """The keys that the top of an experiment file may have."""
    return (*_TEMPLATE_KEYS, *_OURS)


def check_experiment(folder: Path, notes: Notes) -> None:
    """Findings of the experiment file in ``folder`` and of each overlay."""
    base = _read(folder / "experiment.yaml", notes)
    if base is None:
        return
    _check_keys(base, notes)
    _check_connections(base, notes)
    _check_sources(base, notes)
    _try(folder, None, base, _sources(base.data), notes)
    for env, file in overlays(folder).items():
        overlay = _read(file, notes)
        if overlay is not None:
            _check_overlay(env, overlay, base, notes)
            _try(folder, env, overlay, [*_sources(base.data), *_sources(overlay.data)], notes)


def declared_connections(folder: Path) -> list[str]:
    """The names of the connections in ``experiment.yaml``; none when it cannot be read."""
    try:
        data = read_structured(folder / "experiment.yaml").data
    except UserError:
        return []
    return [str(each.get("name")) for each in _mappings(_block(data, "connections"))]


def _read(file: Path, notes: Notes) -> YamlFile | None:
    try:
        found = read_structured(file)
    except UserError as error:
        notes.invalid(file, error)
        return None
    if found.data is not None and not isinstance(found.data, Mapping):
        notes.add("problem", file, 1, "The file is not a YAML mapping.")
        return None
    return found


def _check_keys(file: YamlFile, notes: Notes) -> None:
    for key in file.data or {}:
        line = file.line((key,))
        if key not in known_keys():
            advice = "Remove it, or write it as a comment; --write does the latter."
            notes.add(
                "problem", file.path, line, f"Unknown key {key!r}: the template ignored it, it is refused.", advice
            )
        elif key == "runtime":
            notes.add("works", file.path, line, "'runtime' has no meaning without Azure ML, and is ignored.", "")


def _check_connections(file: YamlFile, notes: Notes) -> None:
    for place, connection in enumerate(_mappings(_block(file.data, "connections"))):
        name = str(connection.get("name"))
        variables = [_variable(name, str(value)) for value in _values(connection) if _placeholder(str(value))]
        line = file.line(("connections", place))
        if variables:
            message = f"Connection {name!r} takes {known_names(variables)} from the environment or .env."
            notes.add("works", file.path, line, message, "Only when a flow asks for it; --simulate RULES needs none.")
        for key, value in connection.items():
            if looks_secret(str(key), value):
                message = f"Connection {name!r} has {key!r} written out, which looks like a secret."
                advice = f"Change the secret, and write {key}: ${{{key}}}."
                notes.add("problem", file.path, file.line(("connections", place, str(key))), message, advice)
        if "api_endpoint" in connection and "api_base" not in connection:
            message = f"Connection {name!r} says api_endpoint; the argument is called api_base."
            where = file.line(("connections", place, "api_endpoint"))
            notes.add("problem", file.path, where, message, "Rename the key; --write does.")


def _check_sources(file: YamlFile, notes: Notes) -> None:
    for keys, source in _sources(file.data):
        if source.startswith("azureml:"):
            message = f"{source!r} is a data asset of Azure ML, which is not yet carried over."
            notes.add("later", file.path, file.line(keys), message, "Download it, and write the path or a URL of it.")


def _check_overlay(env: str, file: YamlFile, base: YamlFile, notes: Notes) -> None:
    data = file.data or {}
    if not data:
        notes.add("surprise", file.path, 1, "The overlay is empty, so it changes nothing.", "Delete it.")
    if env == "None":
        message = "The template read this file when no environment was named; here nothing does."
        notes.add("surprise", file.path, 1, message, "Put what it says into experiment.yaml, or give it a name.")
    for key in (key for key in data if key in IGNORED_IN_OVERLAYS):
        message = f"{key!r} in an overlay is ignored, there and here; only whole blocks are replaced."
        notes.add("surprise", file.path, file.line((key,)), message, "Remove it; --write makes it a comment.")
    for key in (key for key in data if key not in known_keys()):
        message = f"Unknown key {key!r}: the template ignored it, it is refused."
        notes.add("problem", file.path, file.line((key,)), message, "Remove it; --write makes it a comment.")
    _check_cleared(env, file, notes)
    _check_leftovers(env, file, base, notes)
    _check_connections(file, notes)
    _check_sources(file, notes)


def _check_cleared(env: str, file: YamlFile, notes: Notes) -> None:
    for key in _BLOCKS:
        if key in (file.data or {}) and not file.data[key]:
            message = f"{key!r} is there without a value, which clears the whole block in {env!r}."
            advice = (
                "Remove the line to have the runs evaluated." if key == "evaluators" else "Remove the line to keep it."
            )
            notes.add("surprise", file.path, file.line((key,)), message, advice)


def _check_leftovers(env: str, file: YamlFile, base: YamlFile, notes: Notes) -> None:
    """Evaluators of the base file that refer to datasets which the overlay replaced."""
    data = file.data or {}
    if "datasets" not in data or "evaluators" in data:
        return
    here = {str(each.get("name")) for each in _mappings(data["datasets"])}
    for evaluator in _mappings(_block(base.data, "evaluators")):
        uses = [str(each.get("reference") or each.get("name")) for each in _mappings(evaluator.get("datasets"))]
        if uses and not here & set(uses):
            name = evaluator.get("name")
            message = f"In {env!r}, evaluator {name!r} refers to {known_names(uses)} only, which the overlay replaced."
            advice = "Without a word, nothing is evaluated: repeat 'evaluators' in the overlay with its datasets."
            notes.add("problem", file.path, file.line(("datasets",)), message, advice)


def _try(folder: Path, env: str | None, file: YamlFile, sources: _Sources, notes: Notes) -> None:
    """What flowyard itself says of the experiment, without running anything or asking a network."""
    if any("://" in source for _, source in sources):
        notes.add("works", file.path, 1, "Data is at a URL and was not looked at.", _dry_run(folder, env))
        return
    try:
        experiment = load_experiment(folder / "experiment.yaml", env)
    except FlowyardError as error:
        _note_problems(error, file, notes)
        return
    for tried in (experiment, replace(experiment, evaluators=())):  # what is wrong with one hides nothing of the other
        try:
            plan = plan_experiment(tried)
        except FlowyardError as error:
            _note_problems(error, file, notes)
            continue
        _note_warnings(plan, file, notes)
        if tried is experiment:
            notes.add("works", file.path, 1, f"{plural(len(plan.runs), 'run')} would be made.", _dry_run(folder, env))
        return


def _note_warnings(plan: ExperimentPlan, file: YamlFile, notes: Notes) -> None:
    for warning in plan.warnings:
        place, line = _place(warning, file)
        notes.add("surprise", place, line, warning.partition(": ")[2] or warning)


def _note_problems(error: FlowyardError, file: YamlFile, notes: Notes) -> None:
    """Note what is wrong, unless this line was found to be wrong already."""
    problems = error.problems if isinstance(error, ExperimentInvalid) else [Problem(error.message, hint=error.hint)]
    known = {(each.file, each.line) for each in notes.found if each.kind == "problem" and each.line > 1}
    for problem in problems:
        place, line = _place(problem.where, file)
        if (notes.relative(place), line) not in known:
            notes.add("problem", place, line, problem.message, problem.hint or "")


def _dry_run(folder: Path, env: str | None) -> str:
    return f"flowyard experiment run {folder.name}{f' --env {env}' if env else ''} --dry-run"


def _place(where: str | None, file: YamlFile) -> tuple[Path, int]:
    """The file and line of ``file:line…``, when it names a file beside this one; else the top of this one."""
    name, _, rest = (where or "").partition(":")
    line = rest.partition(":")[0]
    beside = file.path.parent / name
    return (beside, int(line)) if name and line.isdigit() and beside.is_file() else (file.path, 1)


def _sources(data: Any) -> _Sources:
    found: _Sources = []
    for place, dataset in enumerate(_mappings(_block(data, "datasets"))):
        found.append((("datasets", place, "source"), str(dataset.get("source", ""))))
    for place, evaluator in enumerate(_mappings(_block(data, "evaluators"))):
        for inner, dataset in enumerate(_mappings(evaluator.get("datasets"))):
            found.append((("evaluators", place, "datasets", inner, "source"), str(dataset.get("source", ""))))
    return found


def _block(data: Any, key: str) -> Any:
    return data.get(key) if isinstance(data, Mapping) else None


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _values(connection: Mapping[str, Any]) -> list[Any]:
    return [
        inner for value in connection.values() for inner in (value.values() if isinstance(value, Mapping) else [value])
    ]


def _placeholder(value: str) -> bool:
    return value.startswith("${") and value.endswith("}")


def _variable(connection: str, value: str) -> str:
    return f"{connection}_{value[2:-1]}".upper().replace("-", "_").replace(" ", "_")
