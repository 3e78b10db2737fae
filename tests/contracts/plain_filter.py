"""What a query means, said in plain Python."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePath

from flowyard.records import RunQuery, RunRecord

__all__ = ["plain_list"]


def plain_list(runs: Iterable[RunRecord], query: RunQuery) -> list[RunRecord]:
    """The runs that fit, in order; nobody holds any of them."""
    seen = [replace(run, status="canceled") if run.status == "running" else run for run in runs]
    found = sorted((run for run in seen if fits(run, query)), key=lambda run: run.name)
    found.sort(key=lambda run: moment(run.created_at), reverse=True)
    return found[query.offset :][: query.limit]


def fits(run: RunRecord, query: RunQuery) -> bool:
    flow = PurePath(run.flow)
    asked = [
        (query.status, {run.status}),
        (query.flow, {run.flow, str(flow.parent), flow.parent.name, flow.stem}),
        (query.role, {run.role}),
        (query.base_run, {run.base_run}),
        (query.archived, {run.archived}),
    ]
    pattern = "*" if query.name is None else query.name
    expression = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return (
        all(wanted is None or wanted in having for wanted, having in asked)
        and all(run.tags.get(tag) == value for tag, value in query.tags.items())
        and (query.since is None or moment(run.created_at) >= moment(query.since))
        and re.fullmatch(expression, run.name, re.DOTALL) is not None
    )


def moment(text: str) -> datetime:
    parsed = datetime.fromisoformat(text)
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
