"""The facts of a version in the order in which things happen, as a tree of sentences for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowyard._util.moments import minute
from flowyard.registry.lineage import is_same_fact
from flowyard.registry.model import LineageFact, LineageKind, Version

__all__ = ["Branch", "lineage_tree"]

_MOST_METRICS = 30

Facts = Sequence[LineageFact]


@dataclass(frozen=True, slots=True)
class Branch:
    """A sentence, and what belongs below it. It is untrusted text: names and reasons of others are in it."""

    text: str
    below: tuple[Branch, ...] = ()


def lineage_tree(version: Version, aliases: Sequence[str], facts: Facts) -> Branch:
    """Commit, data and evaluators, runs with their metrics, gates, approvals, images, deployments."""
    named = f", {', '.join(aliases)}" if aliases else ""
    head = f"{version.kind} {version.label}{named}  sha256:{version.digest[:12]}  {minute(version.created_at)} UTC"
    by_kind = {kind: _told_once(facts, kind) for kind in {fact.kind for fact in facts}}
    branches = [
        *(Branch(_commit(fact)) for fact in by_kind.get("commit", ())),
        *(Branch(_production(fact)) for fact in by_kind.get("production", ())),
        *_group("data", [_content(fact) for fact in by_kind.get("dataset", ())]),
        *_group("evaluators", [_content(fact) for fact in by_kind.get("evaluator", ())]),
        *_group("runs", _runs(by_kind.get("run", []), by_kind.get("metrics", []))),
        *(_gates(fact) for fact in by_kind.get("gates", ())),
        *(Branch(_approval(fact)) for fact in by_kind.get("approval", ())),
        *(Branch(_image(fact)) for fact in by_kind.get("image", ())),
        *(Branch(_deployment(fact)) for fact in by_kind.get("deployment", ())),
        *(Branch(f"note: {_word(fact, 'text')} ({_who(fact)})") for fact in by_kind.get("note", ())),
    ]
    return Branch(head, tuple(branches) or (Branch("Nothing is known of it yet."),))


def _told_once(facts: Facts, kind: LineageKind) -> list[LineageFact]:
    """The facts of a kind; those that two processes wrote down at once are one. Where it was served is an event."""
    found: list[LineageFact] = []
    for fact in facts:
        if fact.kind == kind and (kind == "deployment" or not any(is_same_fact(fact, each) for each in found)):
            found.append(fact)
    return found


def _group(name: str, below: Iterable[Branch]) -> list[Branch]:
    """One branch over all of a kind; none when there is nothing."""
    unique = tuple(dict.fromkeys(below))
    return [Branch(name, unique)] if unique else []


def _commit(fact: LineageFact) -> str:
    branch = f" on {_word(fact, 'branch')}" if fact.value.get("branch") else ""
    state = ", with changes that are not in it" if fact.value.get("dirty") else ""
    place = f", {_word(fact, 'repository')}" if fact.value.get("repository") else ""
    return f"commit {_word(fact, 'revision')[:12]}{branch}{state}{place} ({_who(fact)})"


def _content(fact: LineageFact) -> Branch:
    version = f":{_word(fact, 'version')}" if fact.value.get("version") is not None else ""
    digest = _word(fact, "digest")
    form, _, rest = digest.rpartition(":")
    return Branch(f"{_word(fact, 'name')}{version}  {form or 'sha256'}:{rest[:12]}" if digest else _word(fact, "name"))


def _runs(runs: Facts, metrics: Facts) -> list[Branch]:
    """Each run with its metrics, and below it what evaluated it."""
    names = {_word(fact, "name") for fact in runs}
    inner = [fact for fact in runs if _word(fact, "evaluates") in names]
    return [_run(fact, inner, metrics) for fact in runs if fact not in inner]


def _run(fact: LineageFact, inner: Facts, metrics: Facts) -> Branch:
    value, name = fact.value, _word(fact, "name")
    lines = value.get("lines")
    counts = f", {lines.get('completed')} of {lines.get('total')} lines" if isinstance(lines, Mapping) else ""
    about = ", ".join(str(each) for each in (value.get("variant"), value.get("dataset")) if each)
    simulated = ", simulated" if value.get("simulated") else ""
    other = ", of ANOTHER version of the flow" if value.get("same_flow") is False else ""
    text = f"{name}{f' ({about})' if about else ''}: {_word(fact, 'status')}{counts}{simulated}{other}"
    own = [each for each in metrics if _word(each, "run") == name]
    found = [Branch(text) for each in own for text in _metric_texts(each)]
    evaluations = [_run(each, (), metrics) for each in inner if _word(each, "evaluates") == name]
    return Branch(text, (*found, *evaluations))


def _metric_texts(fact: LineageFact) -> list[str]:
    metrics = fact.value.get("metrics")
    if not isinstance(metrics, Mapping):
        return []
    found = [f"{name} = {_number(value)}" for name, value in sorted(metrics.items())]
    more = len(found) - _MOST_METRICS
    return [*found[:_MOST_METRICS], f"… and {more} more"] if more > 0 else found


def _production(fact: LineageFact) -> str:
    span = f"{minute(_word(fact, 'since'))} to {minute(_word(fact, 'until'))} UTC"
    versions = fact.value.get("versions")
    which = f" {', '.join(map(str, versions))}" if isinstance(versions, list | tuple) and any(versions) else ""
    reviewed = ", reviewed" if fact.value.get("reviewed") else ""
    chosen = f" ({_word(fact, 'chosen')})" if fact.value.get("chosen") else ""
    lines = f"{_word(fact, 'lines')} lines of {_word(fact, 'flow')}{which}"
    return f"production: {lines}, {span}{chosen}{reviewed} ({_who(fact)})"


def _gates(fact: LineageFact) -> Branch:
    gates = fact.value.get("gates")
    below = [_gate(each) for each in gates if isinstance(each, Mapping)] if isinstance(gates, list | tuple) else []
    return Branch(f"gates: {_word(fact, 'verdict')} ({_execution(fact)})", tuple(below))


def _gate(gate: Mapping[str, Any]) -> Branch:
    place = ", ".join(str(gate[key]) for key in ("dataset", "variant") if gate.get(key))
    about = f" [{place}]" if place else ""
    return Branch(f"{gate.get('verdict')}: {gate.get('gate')}{about}: {gate.get('reason') or ''}".rstrip(": "))


def _approval(fact: LineageFact) -> str:
    where = f"{_word(fact, 'target')} of {_word(fact, 'environment')}"
    return f"approval: {_word(fact, 'decision')} by {_word(fact, 'by')} for {where}, request {_word(fact, 'request')}"


def _image(fact: LineageFact) -> str:
    digest = f" @ {_word(fact, 'digest')}" if fact.value.get("digest") else ""
    return f"image: {_word(fact, 'reference')}{digest} ({_who(fact)})"


def _deployment(fact: LineageFact) -> str:
    place = "/".join(str(fact.value[key]) for key in ("endpoint", "deployment") if fact.value.get(key))
    where = f"{_word(fact, 'target')} of {_word(fact, 'environment')}"
    return (
        f"deployment: {_word(fact, 'state')} at {place or where}{f' ({where})' if place else ''}, {minute(fact.at)} UTC"
    )


def _execution(fact: LineageFact) -> str:
    return "/".join(str(fact.value[key]) for key in ("experiment", "key") if fact.value.get(key)) or _who(fact)


def _who(fact: LineageFact) -> str:
    copied = fact.value.get("copied_from")
    return f"{fact.by}, {minute(fact.at)} UTC{f', copied from {copied}' if copied else ''}"


def _word(fact: LineageFact, key: str) -> str:
    value = fact.value.get(key)
    return "" if value is None else str(value)


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
