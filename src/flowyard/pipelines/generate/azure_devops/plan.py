"""The job that says which use cases run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowyard.pipelines.generate.azure_devops import scripts
from flowyard.pipelines.generate.model import CiSettings
from flowyard.pipelines.stages import PIPELINES

__all__ = ["plan_template", "pool"]


def pool(settings: CiSettings) -> Mapping[str, Any]:
    """Machines of Microsoft by their image, or a pool of one's own by its name, with what it has to have."""
    first, *more = settings.runners
    if first.lower().startswith(("ubuntu-", "macos-", "windows-")):
        return {"vmImage": first}
    return {"name": first, **({"demands": list(more)} if more else {})}


def plan_template(settings: CiSettings) -> Mapping[str, Any]:
    """The job ``plan``, whose step ``plan`` has the outputs ``matrix``, ``any`` and ``asks``.

    ``since`` is a revision, ``all``, or nothing: then it is the branch of the pull request, or the commit before.
    ``branches`` are those that it ends on any other branch than, whoever starts it there; nothing means all.
    """
    parameters: Sequence[Mapping[str, Any]] = [
        {"name": "pipeline", "type": "string", "values": list(PIPELINES)},
        {"name": "since", "type": "string", "default": ""},
        {"name": "branches", "type": "string", "default": ""},
    ]
    step = {
        "bash": scripts.PLAN,
        "name": "plan",
        "displayName": "Which use cases are touched",
        "env": {
            "FLOWYARD_PIPELINE": "${{ parameters.pipeline }}",
            "FLOWYARD_SINCE": "${{ parameters.since }}",
            "FLOWYARD_BRANCHES": "${{ parameters.branches }}",
            "FLOWYARD_BELOW": settings.use_cases,
            "FLOWYARD_MAIN": settings.branches.main,
            "FLOWYARD_RELEASE": settings.branches.release,
        },
    }
    job = {
        "job": "plan",
        "displayName": "Plan",
        "pool": pool(settings),
        "timeoutInMinutes": "15",
        "steps": [{"template": "flowyard-prepare.yml"}, step],
    }
    return {"parameters": parameters, "jobs": [job]}
