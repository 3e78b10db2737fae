"""A flow's files, as they are registered, in a new folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from flowyard.flows.model import Flow
from flowyard.registry.flow_files import flow_files

__all__ = ["write_snapshot"]


def write_snapshot(flow: Flow, target: Path) -> str:
    """Copy what a flow with its chosen variants runs from into a new folder; returns the name of its definition there.

    Raises as :func:`flowyard.registry.flow_files.flow_files` does.
    """
    with flow_files(flow) as found:
        for name, path in found.files:
            place = target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
    return found.definition
