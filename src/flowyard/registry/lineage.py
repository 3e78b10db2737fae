"""What becomes known of a version, as facts that hold no secret: one function for each kind of fact."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

from flowyard._util.git import Commit
from flowyard._util.redact import HIDDEN, SECRET_FORMS, may_be_secret
from flowyard.records import ExperimentRecord, RunRecord
from flowyard.registry.ignore import is_never_kept
from flowyard.registry.model import LineageFact, LineageKind

__all__ = [
    "approval_fact",
    "commit_fact",
    "copied_fact",
    "dataset_fact",
    "deployment_fact",
    "experiment_facts",
    "gate_fact",
    "image_fact",
    "is_same_fact",
    "note_fact",
    "plain_remote",
    "production_fact",
    "run_facts",
]

_URL_USER = re.compile(r"(?<=://)[^/\s]*@")


def commit_fact(commit: Commit, by: str) -> LineageFact:
    """The commit that a version was registered from. It is ``dirty`` when the flow's files were not as in it."""
    changed = [file for file in commit.changed if not any(is_never_kept(part) for part in file.split("/"))]
    value = {
        "revision": commit.revision,
        "branch": commit.branch,
        "dirty": bool(changed),
        "repository": plain_remote(commit.remote),
    }
    return _fact("commit", value, by)


def run_facts(
    run: RunRecord,
    by: str,
    *,
    experiment: ExperimentRecord | None = None,
    evaluator: str | None = None,
    same_flow: bool | None = None,
) -> list[LineageFact]:
    """A run of the version, its metrics, its data, and of an evaluation the evaluator.

    ``same_flow`` says whether it ran the very content of the version, None when that is not known. Of its environment
    and its connections nothing is taken.
    """
    labels = experiment.labels if experiment else {}
    value = {
        "name": run.name,
        "role": run.role,
        "experiment": experiment.name if experiment else None,
        "key": experiment.key if experiment else None,
        "variant": labels.get(run.name) or run.variant,
        "dataset": run.dataset,
        "status": run.status,
        "lines": {"total": run.lines.total, "completed": run.lines.completed, "failed": run.lines.failed},
        "simulated": run.simulated,
        "evaluates": run.base_run,
        "same_flow": same_flow,
    }
    facts = [_fact("run", value, by)]
    if run.metrics:
        metrics = {"run": run.name, "dataset": run.dataset, "evaluator": evaluator, "metrics": dict(run.metrics)}
        facts.append(_fact("metrics", metrics, by))
    if run.role != "evaluation" and (run.dataset or run.data):
        facts.append(_fact("dataset", _dataset(run), by))
    if run.role == "evaluation":
        name = evaluator or PurePath(run.flow).name
        facts.append(_fact("evaluator", {"name": name, "version": None, "digest": run.flow_digest}, by))
    return facts


def dataset_fact(label: str, digest: str, by: str) -> LineageFact:
    """A registered dataset, ``name:version``, that a version was measured on."""
    name, _, version = label.partition(":")
    return _fact("dataset", {"name": name, "version": int(version), "digest": digest}, by)


def experiment_facts(experiment: ExperimentRecord, runs: Iterable[RunRecord], by: str) -> list[LineageFact]:
    """Runs of an experiment with all that evaluated them, and what its gates said; each fact once."""
    found: list[LineageFact] = []
    by_name = {run.name: run for run in experiment.runs}
    for run in runs:
        found += run_facts(run, by, experiment=experiment)
        for name, (evaluator, evaluated) in experiment.evaluations.items():
            if evaluated == run.name and name in by_name:
                found += run_facts(by_name[name], by, experiment=experiment, evaluator=evaluator)
    if experiment.verdict is not None or experiment.gates:
        found.append(gate_fact(experiment, by))
    unique: list[LineageFact] = []
    for fact in found:
        if not any(is_same_fact(fact, each) for each in unique):
            unique.append(fact)
    return unique


def gate_fact(experiment: ExperimentRecord, by: str) -> LineageFact:
    """What the gates of an execution came to, each with its reason."""
    gates = [{key: value for key, value in gate.items() if value not in (None, [], {})} for gate in experiment.gates]
    value = {"experiment": experiment.name, "key": experiment.key, "verdict": experiment.verdict, "gates": gates}
    return _fact("gates", value, by)


def approval_fact(
    *, request: str, decision: str, by: str, environment: str, target: str, ledger_head: str | None = None
) -> LineageFact:
    """What was decided on a request; ``ledger_head`` is the digest that the ledger ended with."""
    value = {"request": request, "decision": decision, "by": by, "environment": environment, "target": target}
    return _fact("approval", {**value, "ledger_head": ledger_head}, by)


def image_fact(*, reference: str, digest: str, by: str) -> LineageFact:
    """The image that was built from a version: its name in a container registry, and its digest."""
    return _fact("image", {"reference": reference, "digest": digest}, by)


def deployment_fact(
    *,
    environment: str,
    target: str,
    endpoint: str,
    deployment: str,
    state: str,
    by: str,
    image: tuple[str, str] = ("", ""),
) -> LineageFact:
    """Where a version is served, or was: ``state`` is a word such as ``live`` or ``removed``.

    ``image`` is the reference and the digest of the image that passed the tests there, empty where none runs.
    """
    value = {"environment": environment, "target": target, "endpoint": endpoint, "deployment": deployment}
    ran = {"image": image[0], "image_digest": image[1]} if all(image) else {}
    return _fact("deployment", {**value, "state": state, **ran}, by)


def note_fact(text: str, by: str) -> LineageFact:
    """A sentence by a person."""
    return _fact("note", {"text": text}, by)


def production_fact(value: Mapping[str, Any], by: str) -> LineageFact:
    """What of production a dataset is made of: whose answers, how they were chosen, from when until when."""
    return _fact("production", value, by)


def copied_fact(fact: LineageFact, source: str) -> LineageFact:
    """A fact of another registry: who said it and when stay, ``copied_from`` says where it was said."""
    value = {**fact.value, "copied_from": fact.value.get("copied_from") or source}
    return LineageFact(fact.kind, _clean(value), fact.by, fact.at)


def is_same_fact(one: LineageFact, other: LineageFact) -> bool:
    """Whether two facts say the same, whoever said it and when."""
    return one.kind == other.kind and _without_copy(one) == _without_copy(other)


def plain_remote(url: str | None) -> str | None:
    """Where a repository is, without a name, a password or a token; None when it cannot be told apart from them."""
    if not url:
        return None
    if "://" not in url:  # host:path, or a folder; nobody keeps a password in these
        return url.partition("@")[2] or url
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    return urlunsplit((parts.scheme, f"{parts.hostname or ''}{port}", parts.path, "", ""))


def _dataset(run: RunRecord) -> dict[str, Any]:
    registered = run.properties.get("registered_dataset")
    if isinstance(registered, str):
        name, _, version = registered.removeprefix("registry:").partition(":")
        return {"name": name, "version": int(version) if version.isdecimal() else version, "digest": run.data_digest}
    name = run.dataset or PurePath(str(run.data)).name
    return {"name": name, "version": None, "digest": run.data_digest}


def _fact(kind: LineageKind, value: Mapping[str, Any], by: str) -> LineageFact:
    cleaned = cast(Mapping[str, Any], _clean(value))
    return LineageFact(kind, cleaned, _clean(by), datetime.now(UTC).isoformat(timespec="seconds"))


def _without_copy(fact: LineageFact) -> dict[str, Any]:
    return {key: value for key, value in fact.value.items() if key != "copied_from"}


def _clean(value: Any) -> Any:
    """What JSON can hold, without what looks like a secret by its own form or by the name that it stands under."""
    if isinstance(value, Mapping):
        return {_clean(str(name)): _clean_named(str(name), item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if hasattr(value, "item"):  # a number of numpy
        return _clean(value.item())
    return SECRET_FORMS.sub(HIDDEN, _URL_USER.sub("", str(value)))


def _clean_named(name: str, value: Any) -> Any:
    """``key`` is the key of an execution wherever a fact has one; other names that say secret have theirs hidden."""
    if name != "key" and isinstance(value, str) and may_be_secret(name):
        return HIDDEN
    return _clean(value)
