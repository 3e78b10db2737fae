"""A private temporary folder on a node, which the next worker there deletes when its owner was killed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from flowyard._util.lock import try_lock

__all__ = ["NodeFolder"]

_PREFIX = "flowyard-node-"
_HELD = "held"


class NodeFolder:
    """``path`` is readable by its owner only, and is this process's until ``delete``."""

    def __init__(self) -> None:
        _delete_abandoned()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        new = self.path / f".{_HELD}"
        self._held = new.open("a+b")
        try_lock(self._held)
        new.rename(self.path / _HELD)  # whoever finds it finds it locked

    def delete(self) -> None:
        """Delete it with everything inside."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._held.close()


def _delete_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            with (folder / _HELD).open("r+b") as held:
                if try_lock(held):
                    shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # not ours, or just being made
            continue
