"""Records of production, and a project that has some."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from functional_helper import Project, read_jsonl

__all__ = ["NOW", "exchange", "exchange_at", "feedback", "kept", "lines_of"]

NOW = datetime.now(UTC)


def exchange_at(number: int, moment: datetime, /, **changes: Any) -> dict[str, Any]:
    """What a served flow keeps of a request, with names by its number."""
    record = {
        "kind": "exchange",
        "at": moment.isoformat(),
        "request_id": f"request-{number}",
        "trace_id": f"{number + 1:032x}",
        "span_id": f"{number + 1:016x}",
        "flow": "chat",
        "version": "1",
        "status": 200,
        "latency_s": 0.25,
    }
    return {**record, **changes}


def exchange(number: int, **changes: Any) -> dict[str, Any]:
    """An exchange of the last hour with the flow ``triage``, of which every second is of version 2."""
    record = {
        "flow": "triage",
        "version": str(1 + number % 2),
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "cost_usd": 0.001,
        "inputs": {"question": f"What is {number}?"},
        "outputs": {"answer": f"It is {number}."},
    }
    return exchange_at(number, NOW - timedelta(hours=1) + timedelta(seconds=number % 3000), **{**record, **changes})


def feedback(number: int, said: Any) -> dict[str, Any]:
    """What somebody said of an ``exchange``."""
    about = exchange(number)
    names = ("at", "trace_id", "span_id", "flow", "version")
    return {"kind": "feedback", "request_id": f"f{number}", "feedback": said, **{name: about[name] for name in names}}


def kept(project: Project, *records: dict[str, Any], name: str = "a.jsonl") -> Path:
    """Records in the folder ``records``."""
    folder = project.root / "records"
    folder.mkdir(exist_ok=True)
    with (folder / name).open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)
    return folder / name


def lines_of(project: Project, label: str) -> list[dict[str, Any]]:
    """The lines of a registered dataset."""
    return read_jsonl(project.json("dataset", "show", label)["path"])
