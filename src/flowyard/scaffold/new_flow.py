"""A new flow folder that runs as it is."""

from __future__ import annotations

import shutil
from pathlib import Path

from flowyard.errors import Conflict, UserError

__all__ = ["FLOW_TYPES", "new_flow"]

_FLOWS = Path(__file__).parent / "flows"
FLOW_TYPES = ("standard", "evaluation", "chat")


def new_flow(folder: Path, kind: str) -> list[Path]:
    """Write a flow of that kind into a folder and return its files.

    Nothing is overwritten: raises Conflict when a file of the flow is there already, UserError for an unknown kind.
    """
    if kind not in FLOW_TYPES:
        raise UserError(f"There is no flow of type {kind!r}.", hint=f"Types: {', '.join(FLOW_TYPES)}.")
    sources = sorted(file for file in (_FLOWS / kind).iterdir() if file.is_file())
    taken = [file.name for file in sources if (folder / file.name).exists()]
    if taken:
        raise Conflict(f"{folder} already has {', '.join(taken)}.", hint="Choose another folder for the new flow.")
    folder.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.copy(file, folder / file.name)) for file in sources]
