"""A split in a file, for whatever sets the split by it: a pipeline, a repository that a cluster follows, a test."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from flowyard._util.files import dump_json, write_atomic
from flowyard.ab.evidence.model import Split
from flowyard.abc import Splitter
from flowyard.errors import OutsideError

__all__ = ["SplitFile"]


@dataclass(frozen=True, slots=True)
class SplitFile(Splitter):
    """``{"weights": …, "reason": …, "epochs": […]}``, replaced whole at each change. Not there: no weights."""

    path: Path
    clock: Callable[[], datetime]

    @property
    def label(self) -> str:
        return str(self.path)

    def weights(self) -> Mapping[str, float]:
        splits = self.splits()
        return splits[-1].weights if splits else {}

    def splits(self) -> Sequence[Split]:
        return [Split(each["epoch"], datetime.fromisoformat(each["at"]), each["weights"]) for each in self._epochs()]

    def set_weights(self, weights: Mapping[str, float], reason: str) -> None:
        epochs = self._epochs()
        if epochs and epochs[-1]["weights"] == weights:
            return
        epochs.append({"epoch": len(epochs) + 1, "at": self.clock().isoformat(), "weights": dict(weights)})
        try:
            body = {"weights": dict(weights), "reason": reason, "epochs": epochs}
            write_atomic(self.path, dump_json(body, indent=2) + "\n")
        except OSError as error:
            raise OutsideError(f"Cannot write the split to {self.path}: {error.strerror}.") from None

    def _epochs(self) -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = json.loads(self.path.read_text("utf-8"))["epochs"]
            return [{"epoch": int(e["epoch"]), "at": str(e["at"]), "weights": dict(e["weights"])} for e in found]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OutsideError(f"{self.path} is no split that flowyard wrote.", hint="Move it away.") from error
