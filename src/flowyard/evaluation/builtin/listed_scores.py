"""The catalogue's evaluators that say how much: nearness of texts, and what a line took."""

from __future__ import annotations

from flowyard.evaluation.builtin.entry import (
    NEEDED,
    BuiltinEvaluator,
    EvaluatorInput,
    EvaluatorMetric,
    EvaluatorOption,
    EvaluatorOutput,
)
from flowyard.evaluation.builtin.listed_matches import ANSWER, EXPECTED

__all__ = ["SCORES"]

_WORDS = "flowyard.evaluation.builtin.word_scores"
_SPENT = "flowyard.evaluation.builtin.spent"
_BOTH = (ANSWER, EXPECTED)
_METRICS = "flowyard[metrics]"


def _taken(name: str, meaning: str) -> EvaluatorInput:
    return EvaluatorInput(name, meaning, usual=f"${{run.usage.{name}}}")


def _less_is_better(name: str, meaning: str) -> EvaluatorOutput:
    return EvaluatorOutput(name, meaning, higher_is_better=False, high=None)


_NEARNESS = (
    BuiltinEvaluator(
        "f1",
        f"{_WORDS}:F1",
        "the words that answer and expected text share, as SQuAD counts them",
        _BOTH,
        (EvaluatorOutput("f1_score", "the harmonic mean of precision and recall"),),
    ),
    BuiltinEvaluator(
        "bleu",
        f"{_WORDS}:Bleu",
        "BLEU of one sentence up to four words in a row, smoothed by NLTK's method 4",
        _BOTH,
        (EvaluatorOutput("bleu_score", "BLEU"),),
        requires=_METRICS,
    ),
    BuiltinEvaluator(
        "gleu",
        f"{_WORDS}:Gleu",
        "Google's BLEU of one sentence",
        _BOTH,
        (EvaluatorOutput("gleu_score", "GLEU"),),
        requires=_METRICS,
    ),
    BuiltinEvaluator(
        "rouge",
        f"{_WORDS}:Rouge",
        "ROUGE without stemming",
        _BOTH,
        (
            EvaluatorOutput("rouge_f1_score", "the harmonic mean of the next two"),
            EvaluatorOutput("rouge_precision", "the share of the answer that is expected"),
            EvaluatorOutput("rouge_recall", "the share of the expected text that is there"),
        ),
        (EvaluatorOption("rouge_type", "rouge1 to rouge5, or rougeL", default="rougeL"),),
        requires=_METRICS,
    ),
    BuiltinEvaluator(
        "meteor",
        f"{_WORDS}:Meteor",
        "METEOR of one sentence, with stems and the synonyms of WordNet",
        _BOTH,
        (EvaluatorOutput("meteor_score", "METEOR"),),
        (
            EvaluatorOption("alpha", "the weight of precision against recall", default=0.9),
            EvaluatorOption("beta", "how scattered matches cost", default=3.0),
            EvaluatorOption("gamma", "how much scattered matches cost", default=0.5),
        ),
        requires=_METRICS,
    ),
    BuiltinEvaluator(
        "edit_distance",
        "flowyard.evaluation.builtin.edit_distance:EditDistance",
        "the letters to add, take away or change to get from the answer to the expected text (Levenshtein)",
        _BOTH,
        (
            EvaluatorOutput("edit_similarity", "1 minus the distance by the length of the longer text"),
            _less_is_better("edit_distance", "how many letters"),
        ),
        (EvaluatorOption("ignore_case", "capital and small letters are the same", default=False),),
    ),
    BuiltinEvaluator(
        "embedding_similarity",
        "flowyard.evaluation.builtin.embedding_similarity:EmbeddingSimilarity",
        "the cosine between the vectors of answer and expected text",
        _BOTH,
        (EvaluatorOutput("embedding_similarity", "the cosine; 1 is the same direction", low=-1.0),),
        (
            EvaluatorOption("connection", "the name of a connection to an embedding model", NEEDED),
            EvaluatorOption("model", "the model, or on Azure the deployment", default="text-embedding-3-small"),
        ),
        model_calls=1,
    ),
)

_SPENDING = (
    BuiltinEvaluator(
        "latency",
        f"{_SPENT}:Latency",
        "how long the line took in the evaluated run; an answer that was kept takes no time",
        (_taken("latency_ms", "milliseconds of the line"),),
        (_less_is_better("latency_ms", "milliseconds"),),
        metrics=(
            EvaluatorMetric("latency_p50_ms", "half of the lines took no longer", False, 0.0, None),
            EvaluatorMetric("latency_p95_ms", "95 of 100 lines took no longer", False, 0.0, None),
        ),
    ),
    BuiltinEvaluator(
        "cost",
        f"{_SPENT}:Cost",
        "what the model calls of the line cost in the evaluated run, kept answers at their price when they were made",
        (_taken("cost_usd", "US dollars of the line; null when the price of a model is not known"),),
        (_less_is_better("cost_usd", "US dollars"),),
        metrics=(EvaluatorMetric("total_cost_usd", "US dollars of all lines", False, 0.0, None),),
    ),
    BuiltinEvaluator(
        "tokens",
        f"{_SPENT}:Tokens",
        "the tokens of the line in the evaluated run; kept answers are not among them",
        (_taken("prompt_tokens", "tokens of the prompts"), _taken("completion_tokens", "tokens of the answers")),
        (
            _less_is_better("total_tokens", "both together"),
            _less_is_better("prompt_tokens", "tokens of the prompts"),
            _less_is_better("completion_tokens", "tokens of the answers"),
        ),
    ),
)

SCORES = (*_NEARNESS, *_SPENDING)
