"""Evaluations that promptflow-evals and flowyard both carry out; run by the Python of either.

    MODEL_URL=… python evaluations.py OUT.json [flowyard]

With the last word ``promptflow`` answers with flowyard's names.
"""

import asyncio
import importlib
import json
import math
import os
import sys
from pathlib import Path

if sys.argv[-1] == "flowyard":
    importlib.import_module("flowyard.as_promptflow")

from promptflow.core import AzureOpenAIModelConfiguration
from promptflow.evals import evaluators as evals
from promptflow.evals.evaluate import evaluate

ROWS = [
    {"question": "Capital of Japan?", "answer": "Tokyo it is", "ground_truth": "Tokyo", "size": 3},
    {"question": "Capital of Peru?", "answer": "the Lima", "ground_truth": "Lima", "size": 4},
    {"question": "Capital of Chad?", "answer": "no idea", "ground_truth": "N'Djamena", "size": 5},
]
FAILING = [{**ROWS[0]}, {**ROWS[1], "answer": "boom"}, {**ROWS[2]}]
CONVERSATION = [
    {"role": "user", "content": "What is 2 + 2?"},
    {"role": "assistant", "content": "Four", "context": {"citations": [{"id": "sums", "content": "2 + 2 = 4"}]}},
    {"role": "user", "content": "And 3 + 3?"},
    {"role": "assistant", "content": "Six", "context": {"citations": [{"id": "sums", "content": "3 + 3 = 6"}]}},
]


def length(answer):
    if answer == "boom":
        raise RuntimeError("boom")
    return {"characters": len(answer), "words": len(answer.split()), "text": answer.upper()}


def is_short(*, answer: str, size: int = 10, **kwargs):
    return len(answer) <= size


async def slowly(question: str, answer: str):
    await asyncio.sleep(0.001)
    return {"same": question == answer, "nothing": None, "nan": math.nan}


class Total:
    """Has state from its making and aggregates."""

    def __init__(self, weight):
        self.weight = weight

    def __call__(self, *, answer: str):
        return {"weighted": len(answer) * self.weight}

    def __aggregate__(self, results):
        return {"total": sum(result.weighted for result in results)}


def target(question):
    return {"answer": question.split()[-1], "echo": question}


def one_value(question: str) -> str:
    return question[::-1]


def model():
    url = os.environ["MODEL_URL"]
    return AzureOpenAIModelConfiguration(
        azure_deployment="judge", azure_endpoint=url, api_key="key", api_version="2024-06-01"
    )


def written(rows, name="data.jsonl"):
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return name


def over(rows, **options):
    return evaluate(data=written(rows), **options)


def refused(call):
    try:
        call()
    except Exception as error:
        return {"is ValueError": isinstance(error, ValueError)}
    return "nothing was raised"


def to_file():
    Path("folder").mkdir(exist_ok=True)
    evaluate(data=written(ROWS), evaluators={"length": length}, output_path="folder")
    return json.loads(Path("folder/evaluation_results.json").read_text("utf-8"))


CASES = {
    "function": lambda: over(ROWS, evaluators={"length": length}),
    "asynchronous": lambda: over(ROWS, evaluators={"slow": slowly}),
    "object with aggregate": lambda: over(ROWS, evaluators={"total": Total(2)}),
    "default mapping": lambda: over(
        ROWS,
        evaluators={"f1": evals.F1ScoreEvaluator()},
        evaluator_config={"default": {"answer": "${data.question}"}},
    ),
    "own mapping beside default": lambda: over(
        ROWS,
        evaluators={"length": length},
        evaluator_config={"default": {"answer": "${data.question}"}, "length": {"answer": "${data.ground_truth}"}},
    ),
    "one column for two inputs": lambda: over(
        ROWS, evaluators={"f1": evals.F1ScoreEvaluator()}, evaluator_config={"f1": {"answer": "${data.ground_truth}"}}
    ),
    "a default that the data has": lambda: over(
        ROWS, evaluators={"short": is_short}, evaluator_config={"short": {"size": "${data.size}"}}
    ),
    "target": lambda: over(
        [{key: row[key] for key in ("question", "ground_truth")} for row in ROWS],
        evaluators={"f1": evals.F1ScoreEvaluator()},
        target=target,
    ),
    "target over data": lambda: over(ROWS, evaluators={"length": length}, target=target),
    "target mapped": lambda: over(
        ROWS,
        evaluators={"length": length},
        target=target,
        evaluator_config={"length": {"answer": "${target.echo}"}},
    ),
    "target of one value": lambda: over(
        ROWS,
        evaluators={"length": length},
        target=one_value,
        evaluator_config={"length": {"answer": "${target.output}"}},
    ),
    "a row fails": lambda: over(FAILING, evaluators={"length": length}),
    "missing column": lambda: refused(lambda: over([{"question": "q"}], evaluators={"length": length})),
    "missing target column": lambda: refused(
        lambda: over([{"answer": "a"}], evaluators={"length": length}, target=target)
    ),
    "missing after target": lambda: refused(
        lambda: over([{"question": "q"}], evaluators={"f1": evals.F1ScoreEvaluator()}, target=target)
    ),
    "unknown reference": lambda: refused(
        lambda: over(ROWS, evaluators={"l": length}, evaluator_config={"l": {"answer": "${run.outputs.x}"}})
    ),
    "column named as an output": lambda: refused(
        lambda: over([{"question": "q", "__outputs.x": 1}], evaluators={"length": length}, target=target)
    ),
    "no data file": lambda: refused(lambda: evaluate(data="none.jsonl", evaluators={"length": length})),
    "data is no path": lambda: refused(lambda: evaluate(data=[1], evaluators={"length": length})),
    "a file in a folder": to_file,
    "f1 of nothing": lambda: refused(lambda: evals.F1ScoreEvaluator()(answer=" ", ground_truth="x")),
    "judge": lambda: evals.SimilarityEvaluator(model())(question="q", answer="a", ground_truth="g"),
    "judge that says nothing": lambda: evals.CoherenceEvaluator(model())(question="q", answer="unsayable"),
    "judge of nothing": lambda: refused(lambda: evals.CoherenceEvaluator(model())(question="q", answer="")),
    "judges": lambda: evals.QAEvaluator(model())(question="q", answer="a b", context="c", ground_truth="a"),
    "judges in turn": lambda: evals.QAEvaluator(model(), parallel=False)(
        question="q", answer="a b", context="c", ground_truth="a"
    ),
    "judges over data": lambda: over(
        [{**row, "context": "c"} for row in ROWS],
        evaluators={"qa": evals.QAEvaluator(model())},
    ),
    "chat": lambda: evals.ChatEvaluator(model())(conversation=CONVERSATION),
    "chat, last turn": lambda: evals.ChatEvaluator(model(), eval_last_turn=True)(conversation=CONVERSATION),
    "chat without citations": lambda: evals.ChatEvaluator(model())(
        conversation=[{"role": each["role"], "content": each["content"]} for each in CONVERSATION]
    ),
    "chat, one grade after the other": lambda: evals.ChatEvaluator(model(), parallel=False)(conversation=CONVERSATION),
    "chat over data": lambda: over([{"conversation": CONVERSATION}], evaluators={"chat": evals.ChatEvaluator(model())}),
    "chat that ends with a question": lambda: refused(
        lambda: evals.ChatEvaluator(model())(conversation=CONVERSATION[:-1])
    ),
    "chat that starts with a reply": lambda: refused(
        lambda: evals.ChatEvaluator(model())(conversation=CONVERSATION[1:])
    ),
    "chat without a list of citations": lambda: refused(
        lambda: evals.ChatEvaluator(model())(
            conversation=[CONVERSATION[0], {"role": "assistant", "content": "x", "context": {}}]
        )
    ),
}


def attempt(case):
    try:
        return case()
    except Exception as error:
        return {"raised": f"{type(error).__name__}: {error}"[:300]}


def plain(value):
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.item() if hasattr(value, "item") else value


if __name__ == "__main__":
    out = Path(sys.argv[1]).absolute()
    found = {name: plain(attempt(case)) for name, case in CASES.items()}
    out.write_text(json.dumps(found), "utf-8")
