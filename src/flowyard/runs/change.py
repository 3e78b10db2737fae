"""Changing what is written on a run, never what came out of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from flowyard._util.suggest import did_you_mean
from flowyard.abc import Store
from flowyard.errors import Conflict, UserError
from flowyard.records import RunRecord

__all__ = ["change_labels", "change_run"]

_TEXTS = ("display_name", "description")
_LONGEST_CHANGE_S = 10.0
_FORM = "Write display_name=…, description=… or tags.NAME=… (an empty value clears it)."


def change_labels(store: Store, name: str, labels: Mapping[str, str]) -> RunRecord:
    """Set ``display_name``, ``description`` and ``tags.<name>`` of a run; an empty value removes one.

    Raises UserError for any other key, NotFound, and Conflict while the run is running.
    """
    if not labels:
        raise UserError("There is nothing to change.", hint=_FORM)
    tags: dict[str, str] = {}
    texts: dict[str, str | None] = {}
    for key, value in labels.items():
        if key in _TEXTS:
            texts[key] = value or None
        elif key.startswith("tags.") and len(key) > len("tags."):
            tags[key.removeprefix("tags.")] = value
        else:
            near = did_you_mean(key, [*_TEXTS, "tags"])
            raise UserError(f"{key!r} of a run cannot be changed.", hint=near or _FORM)

    def labelled(run: RunRecord) -> RunRecord:
        changes: dict[str, Any] = {
            **texts,
            "tags": {tag: value for tag, value in {**run.tags, **tags}.items() if value},
        }
        return replace(run, **changes)

    return _change(store, name, labelled)


def change_run(store: Store, name: str, **changes: Any) -> RunRecord:
    """Store a run with these fields changed. Raises NotFound; Conflict while it runs, when it writes them itself."""
    return _change(store, name, lambda run: replace(run, **changes))


def _change(store: Store, name: str, changed: Callable[[RunRecord], RunRecord]) -> RunRecord:
    """Change a run while nobody else can; another change takes an instant, which is waited for."""
    until = time.monotonic() + _LONGEST_CHANGE_S
    while True:
        if store.get_run(name).status == "running":
            raise Conflict(f"Run {name!r} is running.", hint=f"Wait for it: flowyard run stream -n {name}")
        try:
            with store.hold(name):
                run = changed(store.get_run(name))
                store.save_run(run)
                return run
        except Conflict:
            if time.monotonic() > until:
                raise
        time.sleep(0.02)
