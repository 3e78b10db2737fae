"""The request that repeats an earlier run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowyard.errors import UserError
from flowyard.flows.model import Flow
from flowyard.records import RunRecord
from flowyard.runs.dataset import data_source
from flowyard.runs.run import RunRequest

__all__ = ["repeat_request", "resume_request"]


def resume_request(earlier: RunRecord, **changes: Any) -> RunRequest:
    """The request of a new run that takes over what ``earlier`` completed; ``changes`` as for ``repeat_request``."""
    return repeat_request(earlier, resume_from=earlier.name, **changes)


def repeat_request(
    earlier: RunRecord,
    *,
    environment_variables: Mapping[str, Any],
    init: Mapping[str, Any],
    flow: Flow | None = None,
    **changes: Any,
) -> RunRequest:
    """The request that repeats ``earlier``; ``changes`` are fields of RunRequest.

    ``flow`` is what it ran when that is no flow on disk.

    Values of environment variables and init arguments are not stored, because they may be secret: the caller gives
    them again. Raises UserError when other names are given than before, or when the run cannot be repeated.
    """
    if earlier.source:
        raise UserError(f"Run {earlier.name!r} was registered from {earlier.source}; only a run made here is resumed.")
    variables = earlier.environment_names
    _require_again(earlier, "environment variables", "--environment-variables", variables, environment_variables)
    _require_again(earlier, "init values", "--init", earlier.init_names, init)
    return RunRequest(
        flow=flow or Path(earlier.flow),
        data=data_source(earlier.data) if earlier.data else None,
        column_mapping=earlier.column_mapping,
        variant=earlier.assignment,
        base_run=earlier.base_run,
        dataset=earlier.dataset,
        role=earlier.role,
        connections=earlier.connections,
        parameters=earlier.parameters,
        environment_variables=environment_variables,
        init=init,
        **changes,
    )


def _require_again(
    earlier: RunRecord, what: str, option: str, before: tuple[str, ...], given: Mapping[str, Any]
) -> None:
    if set(before) == set(given):
        return
    form = " ".join(f"{name}=…" for name in before)
    raise UserError(
        f"Run {earlier.name!r} was made with these {what}: {', '.join(before) or 'none'}.",
        hint=f"Their values are not stored; give them again: {option} {form}" if before else f"Leave {option} out.",
    )
