"""The use cases of a change as CI systems take them for a matrix of jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["MOST_JOBS", "azure_devops_matrix", "github_matrix"]

MOST_JOBS = 256
"""GitHub runs no workflow whose matrix has more."""


def github_matrix(use_cases: Sequence[tuple[str, str]]) -> Mapping[str, Any]:
    """``{"include": [{"usecase": FOLDER, "name": NAME}]}``, for ``strategy.matrix``; Jenkins reads it, too."""
    return {"include": [{"usecase": folder, "name": name} for folder, name in use_cases]}


def azure_devops_matrix(use_cases: Sequence[tuple[str, str]]) -> Mapping[str, Any]:
    """``{JOB: {"usecase": FOLDER, "name": NAME}}``; a job's name has letters, digits and underscores only."""
    found: dict[str, Any] = {}
    for number, (folder, name) in enumerate(use_cases, start=1):
        job = re.sub(r"[^A-Za-z0-9_]", "_", name)
        while job in found:
            job = f"{job}_{number}"
        found[job] = {"usecase": folder, "name": name}
    return found
