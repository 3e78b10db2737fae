"""Registering a flow with what is known of it: a new version only for new content, facts only once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flowyard._util.git import read_commit
from flowyard._util.suggest import known_names
from flowyard._util.yamlfile import read_yaml
from flowyard.abc import Store
from flowyard.errors import UserError
from flowyard.flows.labels import selection_label
from flowyard.flows.load import find_flow_file
from flowyard.flows.model import Flow
from flowyard.records import ExperimentRecord, RunRecord
from flowyard.registry.flow_files import flow_draft
from flowyard.registry.lineage import commit_fact, experiment_facts, is_same_fact, note_fact, run_facts
from flowyard.registry.model import Draft, LineageFact, Version
from flowyard.registry.registry import Registry
from flowyard.runs.versions import flow_digest

__all__ = ["FlowRegistered", "FlowToRegister", "add_facts", "register_flow", "version_of_flow"]


@dataclass(frozen=True, slots=True)
class FlowToRegister:
    """What a person, or a release, registers. ``runs`` and ``experiment`` are names and a key or name in the store.

    ``by`` is who does it.
    """

    path: Path
    by: str
    name: str | None = None
    selected: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    runs: Sequence[str] = ()
    experiment: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class FlowRegistered:
    """The version that has the content, whether it was made for it, and the facts that are new of it."""

    version: Version
    is_new: bool
    facts: tuple[LineageFact, ...]
    warnings: tuple[str, ...]


def register_flow(registry: Registry, store: Store, wanted: FlowToRegister) -> FlowRegistered:
    """Keep a flow as it is chosen; everything that is named is looked up before anything is written.

    Raises UserError for what is no flow or cannot be kept, NotFound for runs and experiments that are not there,
    OutsideError when the registry cannot be reached: then nothing is registered.
    """
    _require_flow(wanted.path)
    runs = [store.get_run(name) for name in wanted.runs]
    experiment = store.get_experiment(wanted.experiment) if wanted.experiment else None
    chosen = flow_draft(
        wanted.path,
        wanted.name,
        selected=wanted.selected,
        parameters=wanted.parameters,
        description=wanted.description,
    )
    with chosen as (draft, flow):
        facts = [fact for run in runs for fact in _facts_of_run(run, flow, wanted)]
        if experiment is not None:
            facts += experiment_facts(experiment, _runs_of(experiment, flow, wanted), wanted.by)
        if wanted.note:
            facts.append(note_fact(wanted.note, wanted.by))
        registered = registry.add(_as_known(draft, registry.versions(draft.name, "flow")))
    before = registry.facts(registered.version)
    facts = [*_commit(flow, before, wanted.by), *facts]
    added = add_facts(registry, registered.version, facts, before)
    return FlowRegistered(registered.version, registered.is_new, added, tuple(_warnings(facts, flow)))


def version_of_flow(registry: Registry, wanted: FlowToRegister) -> Version | None:
    """The version that has the content of a flow as it is chosen; None when it was never registered."""
    chosen = flow_draft(wanted.path, wanted.name, selected=wanted.selected, parameters=wanted.parameters)
    with chosen as (draft, _):
        versions = registry.versions(draft.name, "flow")
        digest = _as_known(draft, versions).digest
        return next((each for each in versions if each.digest == digest), None)


def add_facts(
    registry: Registry, version: Version, facts: Iterable[LineageFact], before: Sequence[LineageFact]
) -> tuple[LineageFact, ...]:
    """Write down those facts that are not among the ones ``before``; returns what was new."""
    added: list[LineageFact] = []
    for fact in facts:
        if not any(is_same_fact(fact, each) for each in [*before, *added]):
            registry.add_fact(version, fact)
            added.append(fact)
    return tuple(added)


def _require_flow(path: Path) -> None:
    if not path.exists():
        return  # whoever loads it says so
    try:
        find_flow_file(path)
    except UserError as error:
        if "several flows" in error.message:
            raise
        hint = f"Data is registered with: flowyard dataset register {path} --name NAME"
        raise UserError(error.message, hint=f"{error.hint}\n{hint}" if error.hint else hint) from None


def _as_known(draft: Draft, versions: Sequence[Version]) -> Draft:
    """The draft with the choices of a version that has the very same files and variants.

    Parameters are written into the files, so whoever registers what was checked out gives none and means that version.
    """
    for version in versions:
        same_files = version.files == draft.files and version.is_folder == draft.is_folder
        if same_files and _without_parameters(version.settings) == _without_parameters(draft.settings):
            return replace(draft, settings=version.settings)
    return draft


def _without_parameters(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != "parameters"}


def _facts_of_run(run: RunRecord, flow: Flow, wanted: FlowToRegister) -> list[LineageFact]:
    return run_facts(run, wanted.by, same_flow=_is_of(run, flow, wanted.parameters))


def _is_of(run: RunRecord, flow: Flow, parameters: Mapping[str, Any]) -> bool | None:
    """Whether a run was of the very flow with the same choices; None for evaluations, which are of another flow."""
    if run.role == "evaluation" or run.flow_digest is None:
        return None
    same_choice = dict(run.assignment) == dict(flow.chosen) and dict(run.parameters) == dict(parameters)
    return same_choice and run.flow_digest == flow_digest(flow, parameters)


def _runs_of(experiment: ExperimentRecord, flow: Flow, wanted: FlowToRegister) -> list[RunRecord]:
    """The runs of the version of an experiment that is registered. Raises UserError when it has none."""
    if not experiment.is_finished:
        hint = f"Go on with it: flowyard experiment resume {experiment.name}/{experiment.key}"
        raise UserError(f"The experiment {experiment.name}/{experiment.key} was stopped before its end.", hint=hint)
    found = [
        run
        for run in experiment.runs
        if run.name not in experiment.evaluations
        and dict(experiment.variants.get(run.name, {})) == dict(flow.chosen)
        and dict(run.parameters) == dict(wanted.parameters)
    ]
    if not found:
        label = selection_label(dict(flow.chosen), dict(wanted.parameters))
        hint = f"It ran: {known_names(sorted(set(experiment.labels.values())))}. Choose with --variant and --parameter."
        raise UserError(
            f"The experiment {experiment.name}/{experiment.key} did not run {label or 'this'!r}.", hint=hint
        )
    other = [run for run in found if _is_of(run, flow, wanted.parameters) is False]
    if other:
        raise UserError(
            f"The flow is not what the experiment {experiment.name}/{experiment.key} ran: it was changed since.",
            hint="Run the experiment again, or undo the change: its metrics would say nothing of this version.",
        )
    return found


def _commit(flow: Flow, before: Sequence[LineageFact], by: str) -> list[LineageFact]:
    """The commit, for a version that has none yet, or none that has all of its files."""
    known = [fact for fact in before if fact.kind == "commit"]
    commit = read_commit(_places(flow)) if not any(fact.value.get("dirty") is False for fact in known) else None
    if commit is None:
        return []
    fact = commit_fact(commit, by)
    return [] if known and fact.value["dirty"] else [fact]


def _places(flow: Flow) -> list[Path]:
    """Where the flow's files come from: its folder, or a prompty alone, and what it includes."""
    home = flow.file.parent.resolve()
    if flow.file.suffix == ".prompty":
        return [flow.file.resolve()]
    body = read_yaml(flow.file).data
    named = [*(body.get("additional_includes") or ()), *([body["code"]] if "entry" in body and "code" in body else ())]
    return [home, *(path for each in named if (path := (home / str(each)).resolve()).exists())]


def _warnings(facts: Iterable[LineageFact], flow: Flow) -> Iterable[str]:
    yield from flow.warnings
    for fact in facts:
        if fact.kind == "run" and fact.value.get("same_flow") is False:
            yield f"The run {fact.value['name']} was of another version of the flow; the lineage says so."
