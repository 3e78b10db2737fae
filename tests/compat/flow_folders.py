"""The flow folders under ``tests/flows`` and what each is expected to do; also read by the differential test.

``expect.json`` holds ``inputs`` with ``outputs`` or ``error`` (or several such under ``cases``), or ``data`` with
``lines``, ``failed`` ({line: node}), ``metrics`` and ``aggregation_errors``; or ``load_error``, a word of the message.

With ``"model": true`` the flow may ask a simulated model (``model_server.py``), and ``requests`` is what it must ask.
A folder with neither a ``flow.dag.yaml`` nor a ``flow.flex.yaml`` holds a prompty; ``init`` is for flex flows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["FOLDERS", "MODEL_FOLDERS", "Case", "Expected", "flow_in", "read_expected", "without_unset"]

ROOT = Path(__file__).resolve().parents[1] / "flows"
FOLDERS = sorted(file.parent for file in ROOT.glob("*/expect.json"))


@dataclass(frozen=True)
class Case:
    """One line: its inputs, and the outputs or the error that it must have."""

    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any] | None
    error: Mapping[str, Any] | None


@dataclass(frozen=True)
class Expected:
    """All of one ``expect.json``."""

    raw: Mapping[str, Any]
    cases: tuple[Case, ...]

    @property
    def variant(self) -> dict[str, str]:
        return dict(self.raw.get("variant", {}))

    @property
    def init(self) -> dict[str, Any]:
        return dict(self.raw.get("init", {}))

    @property
    def asks_model(self) -> bool:
        return bool(self.raw.get("model"))

    @property
    def different_on_purpose(self) -> str | None:
        return self.raw.get("different_on_purpose")


def read_expected(folder: Path) -> Expected:
    """What the flow in ``folder`` must do."""
    raw = json.loads((folder / "expect.json").read_text("utf-8"))
    found = raw.get("cases") or ([raw] if "inputs" in raw else [])
    return Expected(raw, tuple(Case(case["inputs"], case.get("outputs"), case.get("error")) for case in found))


def flow_in(folder: Path) -> Path:
    """The flow in a folder: the folder itself, or the prompty that it holds."""
    if (folder / "flow.dag.yaml").is_file():
        return folder
    return next(iter(sorted(folder.glob("*.prompty"))), folder)


def without_unset(value: Any) -> Any:
    """A message of a model without the fields that promptflow's client adds as null."""
    if isinstance(value, dict):
        message = value.get("role") == "assistant"
        return {key: without_unset(item) for key, item in value.items() if not (message and item is None)}
    return value


MODEL_FOLDERS = [folder for folder in FOLDERS if read_expected(folder).asks_model]
