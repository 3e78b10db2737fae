"""Exchanges as runs: what production answered is a run that has been, which evaluators judge as any other."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flowyard._util.files import dump_json, write_atomic
from flowyard.abc import Store
from flowyard.errors import NotFound
from flowyard.evaluation.evaluate import evaluate
from flowyard.production.exchanges.lines import JoinedExchange
from flowyard.production.judging.judges import LiveJudge
from flowyard.production.judging.material import line_of, row_of
from flowyard.production.judging.model import Judgement
from flowyard.production.judging.sampling import Drawn
from flowyard.production.records.instants import milliseconds
from flowyard.records import LineCounts, LineResult, RunQuery, RunRecord, sum_usage
from flowyard.runs.options import RunOptions
from flowyard.runs.register import store_run
from flowyard.runs.results import read_lines
from flowyard.runs.resume import recover
from flowyard.runs.run import RunParts

__all__ = [
    "delete_judging",
    "evaluate_exchanges",
    "iter_left_behind",
    "judgements_of_run",
    "new_key",
    "store_exchanges",
    "store_judged",
]

_PREFIX = "judging_"
_FACTS = "judging"


async def evaluate_exchanges(
    judge: LiveJudge,
    drawn: Sequence[Drawn],
    flow: str,
    flow_file: Path,
    parts: RunParts,
    options: RunOptions,
) -> RunRecord:
    """The run of an evaluator over exchanges, all of which fit it. Raises UserError as ``evaluate`` does."""
    name = f"{_PREFIX}{new_key()}"
    exchanges = dict(enumerate(each.each for each in drawn))
    base = store_exchanges(name, exchanges, [judge], flow_file, parts.store, properties={_FACTS: {"flow": flow}})
    facts = {
        "flow": flow,
        "evaluator": judge.name,
        "digest": judge.digest,
        "exchanges": [_fact(each) for each in drawn],
    }
    try:
        return await evaluate(
            base,
            judge.subject.flow,
            base.path / "data.jsonl",
            judge.mapping,
            parts,
            name=f"{name}_judge",
            options=options,
            properties={**judge.subject.properties, _FACTS: facts},
        )
    except BaseException:
        _delete_unless_judged(name, parts.store)
        raise


def store_exchanges(
    name: str,
    exchanges: Mapping[int, JoinedExchange],
    judges: Sequence[LiveJudge],
    flow_file: Path,
    store: Store,
    **more: Any,
) -> RunRecord:
    """What production answered as a completed run, with the rows that ``judges`` read in ``data.jsonl``.

    ``exchanges`` are by the numbers of their lines. ``more`` is of the record.
    """
    lines = [line_of(each, number) for number, each in exchanges.items()]
    failed = sum(line.status == "failed" for line in lines)
    record = RunRecord(
        name=name,
        status="completed",
        flow=str(flow_file.resolve()),
        path=Path(),
        created_at=datetime.now(UTC).isoformat(),
        ended_at=datetime.now(UTC).isoformat(),
        duration_s=sum(line.duration_s for line in lines),
        lines=LineCounts(len(lines), len(lines) - failed, failed),
        usage=sum_usage(line.usage for line in lines),
    )
    run = store_run(replace(record, **more), lines, store)
    path = run.path / "data.jsonl"
    rows = ({**row_of(each, *judges), "line_number": number} for number, each in exchanges.items())
    write_atomic(path, "".join(dump_json(row) + "\n" for row in rows))
    run = replace(run, data=str(path))
    store.save_run(run)
    return run


def store_judged(
    name: str, base: RunRecord, judge: LiveJudge, judgements: Iterable[tuple[int, Judgement]], store: Store
) -> RunRecord:
    """A run of an evaluator that has yet to aggregate: its lines are judgements that there are, by number."""
    lines = [replace(each.line, line_number=number) for number, each in judgements]
    record = RunRecord(
        name=name,
        status="canceled",
        flow=str(judge.subject.flow.file.resolve()),
        path=Path(),
        role="evaluation",
        data=base.data,
        dataset=base.dataset,
        base_run=base.name,
        column_mapping=dict(judge.mapping),
        created_at=datetime.now(UTC).isoformat(),
        lines=LineCounts(len(lines), sum(line.status == "completed" for line in lines)),
        properties=dict(judge.subject.properties),
    )
    return store_run(record, lines, store)


def judgements_of_run(run: RunRecord) -> list[Judgement]:
    """What a run of an evaluator over exchanges has judged so far."""
    facts: Mapping[str, Any] = run.properties[_FACTS]
    return [
        Judgement(
            **facts["exchanges"][line.line_number],
            flow=facts["flow"],
            evaluator=facts["evaluator"],
            digest=facts["digest"],
            judged_at=_moment(line, run),
            line=line,
        )
        for line in read_lines(run)
    ]


def iter_left_behind(store: Store) -> Iterator[RunRecord]:
    """The runs of evaluators that nobody made judgements of, with their damaged ends cut off; others are deleted."""
    named = store.list_runs(RunQuery(name=f"{_PREFIX}*"))
    found = [run for run in named if _FACTS in run.properties]  # people may call a run like that
    judged = {run.base_run for run in found if run.role == "evaluation"}
    for run in found:
        if run.role == "evaluation":
            recover(run, retry_failed=False)
            yield run
        elif run.name not in judged:
            store.delete_run(run.name)


def delete_judging(run: RunRecord, store: Store) -> None:
    """Delete a run of an evaluator over exchanges, and the one that it judged."""
    for name in (run.name, run.base_run):
        try:
            store.delete_run(str(name))
        except NotFound:
            continue


def new_key() -> str:
    """The time to the second and a few letters, for names of runs."""
    return f"{datetime.now(UTC):%Y%m%d_%H%M%S}_{secrets.token_hex(4)}"


def _delete_unless_judged(name: str, store: Store) -> None:
    """The run of the exchanges goes, unless an evaluator had begun to judge it: that is taken over the next time."""
    try:
        store.get_run(f"{name}_judge")
    except NotFound:
        store.delete_run(name)


def _fact(drawn: Drawn) -> dict[str, Any]:
    exchange = drawn.each.exchange
    return {
        "exchange": exchange.id,
        "at_ms": milliseconds(exchange.at),
        "version": exchange.version,
        "request_id": exchange.request_id,
        "is_drawn": drawn.is_drawn,
    }


def _moment(line: LineResult, run: RunRecord) -> datetime:
    for text in (line.started_at, run.created_at):
        if re.match(r"\d{4}-", text):
            moment = datetime.fromisoformat(text)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return datetime.now(UTC)
