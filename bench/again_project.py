"""An experiment on the example's data: 4 variants × 2 temperatures × 2 datasets × 2 evaluators, one of them a judge."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

__all__ = ["DATASETS", "SELECTIONS", "write_again_project"]

SELECTIONS = 4 * 2
DATASETS = ("tickets", "tickets_dev")

_JUDGE = {
    "name": "tone",
    "type": "rubric",
    "options": {
        "rubric": "Is this a category that the ticket may have?",
        "connection": "triage_model",
        "model": "gpt-4o-mini",
    },
    "datasets": [
        {"name": name, "mappings": {"question": "${data.text}", "answer": "${run.outputs.category}"}}
        for name in DATASETS
    ],
}
_JUDGE_RULE = {
    "name": "judge",
    "when": {"system": '"canary": "(?P<canary>[0-9a-f]{8})"'},
    "reply": '{"canary": "{{ match.canary }}", "reason": "It may.", "grade": {{ pick([3, 4, 5]) }}}',
}


def write_again_project(example: Path, folder: Path, *, lines: int | None = None) -> Path:
    """Copy the example into ``folder`` and extend it; ``lines`` keeps the first ones of each dataset.

    Two more variants with a longer limit, a judge, and a rule for the judge in ``simulation.yaml``. Returns the folder.
    """
    shutil.copytree(example, folder, ignore=shutil.ignore_patterns(".flowyard", "__pycache__"))
    _rewrite(folder / "flows" / "triage" / "flow.dag.yaml", _add_variants)
    _rewrite(folder / "experiment.yaml", _add_judge)
    _rewrite(folder / "simulation.yaml", lambda rules: rules["rules"].insert(0, _JUDGE_RULE))
    for name in DATASETS if lines is not None else ():
        data = folder / "data" / f"{name}.jsonl"
        kept = data.read_text("utf-8").splitlines(keepends=True)[:lines]
        data.write_text("".join(kept), "utf-8")
    return folder


def _rewrite(file: Path, change: Callable[[Any], None]) -> None:
    yaml = YAML()
    data = yaml.load(file.read_text("utf-8"))
    change(data)
    with file.open("w", encoding="utf-8") as stream:
        yaml.dump(data, stream)


def _add_variants(flow: Any) -> None:
    variants = flow["node_variants"]["classify"]["variants"]
    for name in list(variants):
        longer = copy.deepcopy(variants[name])
        longer["node"]["inputs"]["max_tokens"] = 320
        variants[f"{name}_long"] = longer


def _add_judge(experiment: Any) -> None:
    experiment["variants"] = {"mode": "all"}
    experiment["parameters"] = {"classify.temperature": [0, 0.5]}
    experiment["evaluators"].append(_JUDGE)
    experiment["baseline"] = "classify=zero_shot, classify.temperature=0"
    del experiment["gates"]
