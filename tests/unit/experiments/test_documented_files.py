"""Every piece of an ``experiment.yaml`` that the documents show can be read and planned."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from flowyard._util.files import dump_json
from flowyard.experiments.load import load_experiment
from flowyard.experiments.plan import plan_experiment
from flowyard.experiments.policy import read_policy, read_racing
from flowyard.experiments.schema import ExperimentSchema

DOCUMENTS = Path(__file__).resolve().parents[3] / "docs"
PAGES = ("experiments", "decisions", "evaluators", "judges")
PIECE = re.compile(r"^```yaml\n(.*?)^```$", re.DOTALL | re.MULTILINE)

TRIAGE = """\
inputs: {subject: {type: string}, text: {type: string}}
outputs:
  category: {type: string, reference: "${classify.output}"}
  queue: {type: string, reference: "${route.output}"}
  reply: {type: string, reference: "${route.output}"}
nodes:
- {name: classify, use_variants: true}
- {name: route, use_variants: true}
node_variants:
  classify:
    default_variant_id: zero_shot
    variants:
      zero_shot: {node: LLM}
      few_shot: {node: LLM}
  route:
    default_variant_id: plain
    variants:
      plain: {node: {type: prompt, source: {type: code, path: zero_shot.jinja2}, inputs: {text: "${classify.output}"}}}
      fast: {node: {type: prompt, source: {type: code, path: zero_shot.jinja2}, inputs: {text: "${classify.output}"}}}
"""
LLM = (
    "{type: llm, source: {type: code, path: zero_shot.jinja2}, connection: my_model, api: chat, "
    'inputs: {model: m, text: "${inputs.text}"}}'
)
EVALUATE = """\
inputs: {category: {type: string}, prediction: {type: string}}
nodes:
- {name: g, type: prompt, source: {type: code, path: zero_shot.jinja2}, inputs: {text: "${inputs.category}"}}
"""
BASE: dict[str, Any] = {
    "name": "ticket_triage",
    "flow": "flows/triage",
    "datasets": [
        {
            "name": "tickets",
            "source": "data/tickets.jsonl",
            "mappings": {"subject": "${data.subject}", "text": "${data.text}"},
        }
    ],
}
ROW = dict.fromkeys(("subject", "text", "category", "label", "difficulty", "language"), "a")


def pieces() -> list[Any]:
    """The pieces that are blocks of an experiment, by page."""
    found = []
    for page in PAGES:
        for number, text in enumerate(PIECE.findall((DOCUMENTS / f"{page}.md").read_text("utf-8"))):
            value = YAML(typ="safe").load(text)
            if isinstance(value, dict) and set(value) <= set(ExperimentSchema.model_fields):
                found.append(pytest.param(value, id=f"{page}-{number}"))
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that the documents speak of."""
    for name, flow in (("triage", TRIAGE.replace("LLM", LLM)), ("evaluate", EVALUATE)):
        (tmp_path / "flows" / name / "prompts").mkdir(parents=True)
        (tmp_path / "flows" / name / "flow.dag.yaml").write_text(flow)
        for prompt in ("zero_shot", "prompts/short"):
            (tmp_path / "flows" / name / f"{prompt}.jinja2").write_text("# user:\n{{ text }}\n")
    for name in ("data", "evaluators"):
        (tmp_path / name).mkdir()
    for name in ("tickets", "answers"):
        (tmp_path / "data" / f"{name}.jsonl").write_text(dump_json(ROW) + "\n")
    code = "def score(text: str, maximum: int = 100) -> dict:\n    return {'short': len(text) <= maximum}\n"
    (tmp_path / "evaluators" / "length.py").write_text(code)
    return tmp_path


@pytest.mark.parametrize("piece", pieces())
def test_a_documented_piece_is_valid(folder: Path, piece: dict[str, Any]) -> None:
    (folder / "experiment.yaml").write_text(dump_json(BASE | piece))
    experiment = load_experiment(folder)
    read_policy(experiment)
    read_racing(experiment)
    assert plan_experiment(experiment).runs


def test_pieces_are_found() -> None:
    pages = [str(piece.id).partition("-")[0] for piece in pieces()]
    assert len(pages) >= 12
    assert set(pages) == set(PAGES)
