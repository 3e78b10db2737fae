"""The catalogue's judges: evaluators that ask a language model for a grade and its reason."""

from __future__ import annotations

from flowyard.evaluation.builtin.entry import (
    NEEDED,
    BuiltinEvaluator,
    EvaluatorInput,
    EvaluatorMetric,
    EvaluatorOption,
    EvaluatorOutput,
)

__all__ = ["JUDGES"]

_PLACE = "flowyard.evaluation.judges"
_NAN = "NaN when the model gave no grade"

_QUESTION = EvaluatorInput("question", "what was asked")
_MAYBE_QUESTION = EvaluatorInput("question", "what was asked", optional=True)
_ANSWER = EvaluatorInput("answer", "what the flow gave")
_CONTEXT = EvaluatorInput("context", "what the answer is based on: a text, or a list of documents")
_MAYBE_CONTEXT = EvaluatorInput("context", "what the question is about", optional=True)
_EXPECTED = EvaluatorInput("ground_truth", "what is expected")
_MAYBE_EXPECTED = EvaluatorInput("ground_truth", "what is expected", optional=True)

_REASON = EvaluatorOutput("reason", "the judge's reason, or why there is no grade", kind="text")
_OPTIONS = (
    EvaluatorOption("connection", "the name of the connection to the judging model; OpenAI's by the environment"),
    EvaluatorOption("model", "the model, or on Azure the deployment"),
    EvaluatorOption("votes", "how often the model is asked for each grade", default=1),
    EvaluatorOption("combine", "median, majority or mean of the votes; majority for labels, else median"),
    EvaluatorOption("temperature", "of the model; 0 for one vote, 0.7 for several"),
    EvaluatorOption("seed", "of the first vote; the others count up from it"),
    EvaluatorOption("structured", "json_schema, json_object, text, or auto: the strictest that is taken", "auto"),
    EvaluatorOption("canary", "an answer has to repeat a code of its instructions", default=True),
    EvaluatorOption("parameters", "more parameters of the model, such as {max_tokens: 500}"),
)
_UNGRADED = EvaluatorMetric("ungraded", "how many lines have no grade", higher_is_better=False, high=None)
_SPREAD = EvaluatorMetric("spread", "the mean of highest minus lowest vote", higher_is_better=False, high=None)


def _score(name: str, meaning: str) -> EvaluatorOutput:
    return EvaluatorOutput(name, f"{meaning}; {_NAN}", low=1.0, high=5.0)


def _judge(name: str, entry: str, summary: str, *inputs: EvaluatorInput) -> BuiltinEvaluator:
    """A judge of one score from 1 to 5."""
    return BuiltinEvaluator(
        name,
        f"{_PLACE}.answers:{entry}",
        f"a judge: {summary}",
        inputs,
        (_score(name, "from 1 to 5"), _REASON),
        _OPTIONS,
        (_UNGRADED, _SPREAD),
        model_calls=1,
        times="votes",
    )


_OF_ANSWERS = ("groundedness", "relevance", "coherence", "fluency", "similarity")

JUDGES = (
    _judge("groundedness", "Groundedness", "does the context support the answer", _ANSWER, _CONTEXT),
    _judge("relevance", "Relevance", "does the answer address the question", _QUESTION, _ANSWER, _MAYBE_CONTEXT),
    _judge("coherence", "Coherence", "do the answer's sentences hang together", _QUESTION, _ANSWER),
    _judge("fluency", "Fluency", "is the answer well written", _ANSWER),
    _judge("similarity", "Similarity", "does the answer say what is expected", _ANSWER, _EXPECTED, _MAYBE_QUESTION),
    _judge("retrieval", "Retrieval", "do the documents found help to answer", _QUESTION, _CONTEXT),
    BuiltinEvaluator(
        "qa",
        f"{_PLACE}.answers:QuestionAnswering",
        "judges of an answer, several at once",
        (_QUESTION, _ANSWER, _MAYBE_CONTEXT, _MAYBE_EXPECTED),
        tuple(
            output
            for name in _OF_ANSWERS
            for output in (
                _score(name, f"as the judge {name} gives it"),
                EvaluatorOutput(f"{name}_reason", "the judge's reason", kind="text"),
            )
        ),
        (EvaluatorOption("judges", f"which ones, of {', '.join(_OF_ANSWERS)}; all of them"), *_OPTIONS),
        tuple(
            EvaluatorMetric(f"{name}_ungraded", "how many lines have no grade", higher_is_better=False, high=None)
            for name in _OF_ANSWERS
        ),
        model_calls=len(_OF_ANSWERS),
        times="votes",
    ),
    BuiltinEvaluator(
        "rubric",
        f"{_PLACE}.rubric:Rubric",
        "a judge by criteria of your own",
        (_ANSWER, _MAYBE_QUESTION, _MAYBE_CONTEXT, _MAYBE_EXPECTED),
        (
            EvaluatorOutput("rubric", f"the grade; {_NAN}", low=None, high=None),
            _REASON,
            EvaluatorOutput("label", "the label of the grade, where there are labels", kind="text"),
        ),
        (
            EvaluatorOption("rubric", "the criteria, as a text", NEEDED),
            EvaluatorOption("scale", "the whole numbers [lowest, highest]; [1, 5]"),
            EvaluatorOption("labels", "in place of a scale: a list from worst to best, or {label: number}"),
            EvaluatorOption("meanings", "when a grade is right: {grade: text}"),
            EvaluatorOption("examples", "a list of {material: {answer: …}, grade: …, reason: …}"),
            *_OPTIONS,
        ),
        (_UNGRADED, _SPREAD),
        model_calls=1,
        times="votes",
    ),
    BuiltinEvaluator(
        "pairwise",
        f"{_PLACE}.pairwise:Pairwise",
        "a judge of two answers, asked in both orders",
        (_ANSWER, EvaluatorInput("reference", "the other answer", optional=True), _MAYBE_QUESTION),
        (
            EvaluatorOutput("pairwise", f"1 the answer wins, 0 the reference wins, 0.5 a tie; {_NAN}"),
            EvaluatorOutput("winner", "answer, reference or tie", kind="text"),
            _REASON,
            EvaluatorOutput(
                "orders_disagree",
                "the share of votes in which the order decided, which are ties",
                higher_is_better=False,
                metric="position_bias",
            ),
        ),
        (
            EvaluatorOption("rubric", "what makes one of two answers better"),
            EvaluatorOption("baseline", "the folder of a run whose outputs are the references", is_file=True),
            EvaluatorOption("baseline_run", "or the name of that run", is_run=True),
            EvaluatorOption("baseline_output", "which output of it is the reference", default="answer"),
            *_OPTIONS,
        ),
        (
            _UNGRADED,
            _SPREAD,
            EvaluatorMetric(
                "first_favoured",
                "by how much more often the first place than the second won by its place",
                higher_is_better=None,
                low=-1.0,
            ),
        ),
        model_calls=2,
        times="votes",
    ),
)
"""The judges by which experiments have ``type:``."""
