"""Changing what is written on a run, never what came out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flowyard._util.suggest import did_you_mean
from flowyard.abc import Store
from flowyard.errors import Conflict, UserError
from flowyard.records import RunRecord

__all__ = ["change_labels", "change_run"]

_TEXTS = ("display_name", "description")
_FORM = "Write display_name=…, description=… or tags.NAME=… (an empty value clears it)."


def change_labels(store: Store, name: str, labels: Mapping[str, str]) -> RunRecord:
    """Set ``display_name``, ``description`` and ``tags.<name>`` of a run; an empty value removes one.

    Raises UserError for any other key, NotFound, and Conflict while the run is running.
    """
    if not labels:
        raise UserError("There is nothing to change.", hint=_FORM)
    run = store.get_run(name)
    tags = dict(run.tags)
    texts: dict[str, str | None] = {}
    for key, value in labels.items():
        if key in _TEXTS:
            texts[key] = value or None
        elif key.startswith("tags.") and len(key) > len("tags."):
            tags[key.removeprefix("tags.")] = value
        else:
            near = did_you_mean(key, [*_TEXTS, "tags"])
            raise UserError(f"{key!r} of a run cannot be changed.", hint=near or _FORM)
    return change_run(store, name, **texts, tags={key: value for key, value in tags.items() if value})


def change_run(store: Store, name: str, **changes: Any) -> RunRecord:
    """Store a run with these fields changed. Raises NotFound; Conflict while it runs, when it writes them itself."""
    run = store.get_run(name)
    if run.status == "running":
        raise Conflict(f"Run {name!r} is running.", hint=f"Wait for it: flowyard run stream -n {name}")
    changed = replace(run, **changes)
    store.save_run(changed)
    return changed
