"""Post-production evaluation: a sample of what production answered as an execution that gates judge and reports show.

Nothing is paid for here: judgements that there are become the lines of ordinary evaluations, which only aggregate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from flowyard._util.printable import printable_text
from flowyard.errors import UserError
from flowyard.evaluation.evaluate import evaluate
from flowyard.experiments.model import Experiment
from flowyard.production.exchanges.lines import JoinedExchange, iter_exchanges
from flowyard.production.judging.judges import LiveJudge
from flowyard.production.judging.live import LiveJudging
from flowyard.production.judging.live_policy import LivePolicy, live_policy
from flowyard.production.judging.material import judged_outputs
from flowyard.production.judging.model import Judgement
from flowyard.production.judging.runs import new_key, store_exchanges, store_judged
from flowyard.production.judging.sampling import Drawn, SamplingRule, sample
from flowyard.production.judging.store import find_judgements
from flowyard.records import ExperimentRecord, RunRecord
from flowyard.runs.budget import Budget

__all__ = ["PostProduction", "draw_for_evaluation", "evaluate_production"]

_MAIN = "production"


@dataclass(frozen=True, slots=True)
class PostProduction:
    """The execution, the rules that decide it, and what to warn of."""

    record: ExperimentRecord
    live: LivePolicy
    warnings: tuple[str, ...]


@dataclass(slots=True)
class _Part:
    """A part of the sample: the exchanges that have what these evaluators read."""

    name: str
    judges: list[LiveJudge]
    lines: list[JoinedExchange]


@dataclass(slots=True)
class _Made:
    """The runs of an execution as they come."""

    runs: dict[str, RunRecord] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    evaluations: dict[str, tuple[str, str]] = field(default_factory=dict)
    measured: dict[str, set[str]] = field(default_factory=dict)


def draw_for_evaluation(judging: LiveJudging, rule: SamplingRule) -> list[Drawn]:
    """The sample, requests that failed among them: the same one each time for the same time. Raises UserError."""
    drawn = sample(iter_exchanges(judging.store, judging.wanted), judging.wanted.flow, rule)
    if not drawn:
        hint = "Widen --since, raise --rate, or collect first: flowyard monitor collect FOLDER"
        raise UserError(f"Production has no request of {judging.wanted.flow!r} to judge in that time.", hint=hint)
    return drawn


async def evaluate_production(
    judging: LiveJudging, experiment: Experiment, drawn: Sequence[Drawn], asked: Mapping[str, Any]
) -> PostProduction:
    """An execution over the sample as far as it is judged: a run for each version, and its evaluations.

    ``asked`` is what the record says of the request. Raises UserError when nothing of the sample is judged.
    """
    started = datetime.now(UTC)
    found = _by_judge(judging, drawn)
    parts, warnings = _parts(judging.judges, drawn, found)
    if not parts:
        raise UserError("Nothing of the sample is judged.", hint="Raise the budget, or wait for the next day's.")
    made = _Made()
    key, name = new_key(), f"{experiment.name}_production"
    for part in parts:
        for version in sorted({each.exchange.version for each in part.lines}):
            await _evaluate_version(judging, part, version, found, key, made)
    newest = max((each.each.exchange for each in drawn), key=lambda exchange: (exchange.at, exchange.id))
    ships = _label(newest.version)
    main = _MAIN if any(part.name == _MAIN for part in parts) else parts[0].name
    live = live_policy(experiment, ships, {each: sorted(names) for each, names in made.measured.items()}, main)
    store = judging.parts.store
    record = ExperimentRecord(
        name=name,
        key=key,
        path=store.create_experiment_folder(re.sub(r"[^A-Za-z0-9._-]", "_", name), key),
        created_at=started.isoformat(),
        env=experiment.env,
        runs=tuple(made.runs.values()),
        variants={run: {} for run in made.labels},
        evaluations=made.evaluations,
        duration_s=(datetime.now(UTC) - started).total_seconds(),
        labels=made.labels,
        defaults=ships,
        policy=live.values,
        request={"production": dict(asked)},
    )
    store.save_experiment(record)
    return PostProduction(record, live, (*warnings, *live.left_out))


def _by_judge(judging: LiveJudging, drawn: Sequence[Drawn]) -> dict[str, dict[str, Judgement]]:
    """Judgements by the evaluator's name, then by the exchange; those of other versions of it are left out."""
    digests = {judge.name: judge.digest for judge in judging.judges}
    found: dict[str, dict[str, Judgement]] = {name: {} for name in digests}
    for each in find_judgements(judging.store, [each.each.exchange.id for each in drawn]):
        if digests.get(each.evaluator) == each.digest:
            found[each.evaluator][each.exchange] = each
    return found


def _parts(
    judges: Sequence[LiveJudge], drawn: Sequence[Drawn], found: Mapping[str, Mapping[str, Judgement]]
) -> tuple[list[_Part], list[str]]:
    """Evaluators that fit the same exchanges together; requests that failed count everywhere."""
    grouped: dict[frozenset[str], list[LiveJudge]] = {}
    for judge in judges:
        fitting = frozenset(each.each.exchange.id for each in drawn if judge.fits(each.each))
        if fitting:
            grouped.setdefault(fitting, []).append(judge)
    answered = sum(judged_outputs(each.each) is not None for each in drawn)
    parts, warnings = [], []
    for fitting, group in grouped.items():
        judged = {id_ for id_ in fitting if all(id_ in found[judge.name] for judge in group)}
        names = ", ".join(judge.name for judge in group)
        if len(judged) < len(fitting):
            warnings.append(f"{names}: {len(fitting) - len(judged):,} of {len(fitting):,} are not judged yet.")
        if len(fitting) < answered:
            warnings.append(f"{names}: {answered - len(fitting):,} of {answered:,} answers lack what it reads.")
        lines = [each.each for each in drawn if each.each.exchange.id in judged or judged_outputs(each.each) is None]
        if judged:
            parts.append(_Part(_MAIN if len(fitting) == answered else f"{_MAIN} for {names}", group, lines))
    if not answered:  # no answer is the worst one, which gates have to see
        parts.append(_Part(_MAIN, [], [each.each for each in drawn]))
        warnings.append(f"All {len(drawn):,} requests of the sample failed.")
    for judge in judges if answered else ():
        if not any(judge in group for group in grouped.values()):
            warnings.append(f"{judge.name} judged nothing: no answer has what it reads ({judge.reads}).")
    return parts, warnings


async def _evaluate_version(
    judging: LiveJudging,
    part: _Part,
    version: str,
    found: Mapping[str, Mapping[str, Judgement]],
    key: str,
    made: _Made,
) -> None:
    # versions have no number in common: what answered different requests is not compared line by line
    lines = {number: each for number, each in enumerate(part.lines) if each.exchange.version == version}
    stem = f"production_{key}_{len(made.runs)}"
    store = judging.parts.store
    base = store_exchanges(
        stem, lines, part.judges, judging.flow_file, store, role="variant", dataset=part.name, variant=_label(version)
    )
    made.runs[base.name], made.labels[base.name] = base, _label(version)
    if not base.lines.completed:
        return
    parts = replace(judging.parts, budget=Budget())  # nothing is asked, and what was paid is counted in the lines
    for place, judge in enumerate(part.judges):
        numbered = [
            (number, found[judge.name][each.exchange.id])
            for number, each in lines.items()
            if each.exchange.id in found[judge.name]
        ]
        name = store_judged(f"{stem}_{place}", base, judge, numbered, store).name
        run = await evaluate(
            base,
            judge.subject.flow,
            str(base.data),
            judge.mapping,
            parts,
            name=name,
            options=judging.options,
            earlier=name,
        )
        made.runs[name], made.evaluations[name] = run, (judge.name, base.name)
        names = {*run.metrics, *(metric for _, each in numbered for metric in each.scores)}
        made.measured.setdefault(part.name, set()).update(names, (f"{judge.name}.{each}" for each in names))


def _label(version: str) -> str:
    """What people call a version that production names, fit to be shown."""
    return f"version {printable_text(version)}" if version else "no version"
