"""Scripts that evaluate with the names of promptflow.evals, as people have them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROWS = [
    {"question": "Where?", "answer": "In Rome", "context": "Rome", "ground_truth": "Rome"},
    {"question": "When?", "answer": "", "context": "now", "ground_truth": "Now"},
]
RULES = "rules: [{when: {system: You grade}, reply: '4'}]\n"
IMPORTS = """\
from promptflow.core import AzureOpenAIModelConfiguration, Prompty
from promptflow.client import load_flow
from promptflow.evals.evaluate import evaluate
from promptflow.evals.evaluators import *
import json
model = AzureOpenAIModelConfiguration(azure_deployment="d", azure_endpoint="https://none.invalid", api_key="top-secret")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    (tmp_path / "rules.yaml").write_text(RULES, "utf-8")
    return tmp_path


def run_script(folder: Path, code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text("import flowyard.as_promptflow\n" + IMPORTS + code, "utf-8")
    variables = {**os.environ, "FLOWYARD_HOME": str(folder / "home"), "FLOWYARD_SIMULATE": "rules.yaml", **environ}
    return subprocess.run(
        [sys.executable, "-W", "error", "script.py"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=variables,
        timeout=120,
    )


def test_judges_over_data_with_a_simulated_model(folder: Path) -> None:
    code = """
result = evaluate(
    data="data.jsonl",
    evaluators={"relevance": RelevanceEvaluator(model), "qa": QAEvaluator(model), "f1": F1ScoreEvaluator()},
    output_path="found.json",
)
assert result.keys() == {"rows", "metrics", "studio_url"} and result["studio_url"] is None
print(json.dumps(result["metrics"]))
"""
    done = run_script(folder, code)
    assert done.returncode == 0, done.stderr
    grades = ("groundedness", "relevance", "coherence", "fluency", "similarity")
    expected = {"relevance.gpt_relevance": 4.0, **{f"qa.gpt_{each}": 4.0 for each in grades}}
    assert json.loads(done.stdout) == pytest.approx({**expected, "qa.f1_score": 2 / 3, "f1.f1_score": 2 / 3})
    written = json.loads((folder / "found.json").read_text("utf-8"))
    assert written["metrics"] == pytest.approx(json.loads(done.stdout))
    assert [row["inputs.question"] for row in written["rows"]] == ["Where?", "When?"]
    assert "Evaluator 'qa' failed on 1 of 2 rows" in done.stderr
    assert "Evaluator 'relevance': 1 of 1 model calls were answered by a simulated model." in done.stderr


def test_no_key_is_left_on_disk(folder: Path) -> None:
    code = 'evaluate(data="data.jsonl", evaluators={"c": CoherenceEvaluator(model)}, output_path="found.json")\n'
    done = run_script(folder, code)
    assert done.returncode == 0, done.stderr
    kept = [path for path in folder.rglob("*") if path.is_file() and path.name != "script.py"]
    assert any(path.name == "lines.jsonl" for path in kept)
    assert not [path for path in kept if b"top-secret" in path.read_bytes()]


def test_everything_that_can_be_called_evaluates(folder: Path) -> None:
    (folder / "grade.prompty").write_text(
        "---\nmodel: {api: chat, configuration: {type: openai, model: m}, parameters: {}}\n"
        "inputs: {answer: {type: string}}\n---\nsystem:\nYou grade.\nuser:\n{{answer}}\n",
        "utf-8",
    )
    flow = folder / "flow"
    flow.mkdir()
    (flow / "flow.dag.yaml").write_text(
        "inputs: {answer: {type: string}}\n"
        'outputs: {size: {type: int, reference: "${size.output}"}}\n'
        "nodes: [{name: size, type: python, source: {type: code, path: size.py}, "
        'inputs: {answer: "${inputs.answer}"}}]\n',
        "utf-8",
    )
    (flow / "size.py").write_text(
        "from promptflow.core import tool\n\n\n@tool\ndef size(answer: str):\n    return len(answer)\n", "utf-8"
    )
    code = """
async def later(answer: str):
    return len(answer)
class Sized:
    def __call__(self, *, answer: str, **others):
        return {"size": len(answer)}
def target(question):
    return {"answer": question.upper()}
result = evaluate(
    data="data.jsonl",
    target=target,
    evaluators={
        "function": lambda answer: len(answer), "later": later, "object": Sized(),
        "prompty": Prompty.load("grade.prompty"), "flow": load_flow("flow"), "path": "flow",
    },
)
print(json.dumps(result["metrics"]))
"""
    done = run_script(folder, code)
    assert done.returncode == 0, done.stderr
    sizes = {"function.output", "later.output", "object.size", "flow.size", "path.size"}
    assert json.loads(done.stdout) == dict.fromkeys(sizes, 5.5)


def test_inside_a_running_event_loop(folder: Path) -> None:
    code = """
import asyncio
async def notebook():
    result = evaluate(data="data.jsonl", evaluators={"c": CoherenceEvaluator(model)})
    return result["metrics"], CoherenceEvaluator(model)(question="q", answer="a")
print(json.dumps(asyncio.run(notebook())))
"""
    done = run_script(folder, code)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [{"c.gpt_coherence": 4.0}, {"gpt_coherence": 4.0}]


REFUSED = [
    ('evaluate(data="data.jsonl", evaluators={"a": len}, azure_ai_project={})', "ValueError", "azure_ai_project"),
    ('evaluate(data="data.jsonl", evaluators={})', "ValueError", "evaluators must be"),
    ("evaluate(evaluators={'a': len})", "ValueError", "data must be"),
    ('evaluate(data="nothing.jsonl", evaluators={"f": F1ScoreEvaluator()})', "ValueError", "nothing.jsonl"),
    ('evaluate(data="data.jsonl", evaluators={"a": 5})', "ValueError", "int cannot be run"),
    ('evaluate(data="data.jsonl", evaluators={"a": lambda missing: 1})', "ValueError", "'a': missing"),
    (
        'evaluate(data="data.jsonl", evaluators={"f": F1ScoreEvaluator()}, output_path="none/x.json")',
        "ValueError",
        "there is no folder",
    ),
    (
        'evaluate(data="data.jsonl", evaluators={"f": F1ScoreEvaluator()}, evaluator_config={"f": "x"})',
        "ValueError",
        "evaluator_config must be",
    ),
    ('F1ScoreEvaluator()(answer="", ground_truth="x")', "ValueError", "'answer' is empty"),
    ('CoherenceEvaluator(model)(question="q", answer="")', "ValueError", "'answer' must not be empty"),
    ("CoherenceEvaluator({'model': 'm', 'key': 'top-secret'})", "UserErrorException", "no field 'key'"),
    ("ViolenceEvaluator({'project_name': 'p'})", "UserErrorException", "ViolenceEvaluator is answered by Azure AI"),
    ("ContentSafetyEvaluator(project_scope={})", "UserErrorException", "ContentSafetyEvaluator"),
    ("BleuScoreEvaluator()", "MissingRequiredPackage", "punkt_tab"),
    ("from promptflow.evals.synthetic import AdversarialSimulator", "ImportError", "simulators run in Azure AI only"),
    ("from promptflow.evals.evaluators import Nonsense", "ImportError", "promptflow.evals.evaluators.Nonsense"),
]


def test_what_is_refused(folder: Path) -> None:
    code = f"""
found = []
for call in {[call for call, _, _ in REFUSED]!r}:
    try:
        exec(call)
        found.append([[], "nothing was raised"])
    except Exception as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        found.append([kinds, " ".join([str(error), *getattr(error, "__notes__", [])])])
print(json.dumps(found))
"""
    done = run_script(folder, code, NLTK_DATA=str(folder))
    assert done.returncode == 0, done.stderr
    for (call, kind, said), (kinds, message) in zip(REFUSED, json.loads(done.stdout), strict=True):
        assert kind in kinds, (call, message)
        assert said in message, call
    assert "top-secret" not in done.stdout + done.stderr
    assert not (folder / "home").exists()
