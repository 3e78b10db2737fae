"""The catalogue's evaluators that say yes or no: is the answer what it should be."""

from __future__ import annotations

from flowyard.evaluation.builtin.entry import (
    NEEDED,
    BuiltinEvaluator,
    EvaluatorInput,
    EvaluatorMetric,
    EvaluatorOption,
    EvaluatorOutput,
)

__all__ = ["ANSWER", "EXPECTED", "MATCHES"]

ANSWER = EvaluatorInput("answer", "what the flow gave; null is a wrong answer")
EXPECTED = EvaluatorInput("ground_truth", "what is expected; null or a missing column fails the line")
_FIXED = EvaluatorInput("ground_truth", "what is expected, unless the option 'expected' says it", unless="expected")
_IGNORE_CASE = EvaluatorOption("ignore_case", "capital and small letters are the same", default=False)
_STRIP = EvaluatorOption("strip", "blanks around the texts do not count", default=False)
_ONE_TEXT = EvaluatorOption("expected", "the text, the same for all lines, in place of ground_truth")
_MANY_TEXTS = EvaluatorOption("expected", "the list of texts, the same for all lines, in place of ground_truth")
_TEXTS = "flowyard.evaluation.builtin.texts"
_JSON = "flowyard.evaluation.builtin.json_values"


def _yes_or_no(name: str, meaning: str) -> EvaluatorOutput:
    return EvaluatorOutput(name, meaning, kind="binary")


_TEXT_MATCHES = (
    BuiltinEvaluator(
        "exact_match",
        f"{_TEXTS}:ExactMatch",
        "the answer equals the expected one",
        (ANSWER, EXPECTED),
        (_yes_or_no("exact_match", "1 when they are equal"),),
        (
            _IGNORE_CASE,
            _STRIP,
            EvaluatorOption("normalize", "without case, punctuation, articles and extra blanks", default=False),
        ),
    ),
    BuiltinEvaluator(
        "contains",
        f"{_TEXTS}:Contains",
        "the expected text stands in the answer",
        (ANSWER, _FIXED),
        (_yes_or_no("contains", "1 when it does"),),
        (_ONE_TEXT, _IGNORE_CASE),
    ),
    BuiltinEvaluator(
        "contains_any",
        f"{_TEXTS}:ContainsAny",
        "at least one of the expected texts stands in the answer",
        (ANSWER, _FIXED),
        (_yes_or_no("contains_any", "1 when one does"),),
        (_MANY_TEXTS, _IGNORE_CASE),
    ),
    BuiltinEvaluator(
        "contains_all",
        f"{_TEXTS}:ContainsAll",
        "all of the expected texts stand in the answer",
        (ANSWER, _FIXED),
        (
            _yes_or_no("contains_all", "1 when all do"),
            EvaluatorOutput("share_found", "how many of them do, as a share"),
        ),
        (_MANY_TEXTS, _IGNORE_CASE),
    ),
    BuiltinEvaluator(
        "starts_with",
        f"{_TEXTS}:StartsWith",
        "the answer begins with the expected text",
        (ANSWER, _FIXED),
        (_yes_or_no("starts_with", "1 when it does"),),
        (_ONE_TEXT, _IGNORE_CASE),
    ),
    BuiltinEvaluator(
        "regex",
        f"{_TEXTS}:Regex",
        "a regular expression of Python finds something in the answer",
        (ANSWER,),
        (_yes_or_no("regex", "1 when it does"),),
        (
            EvaluatorOption("pattern", "the expression; a slow one is your own, and needs --line-timeout", NEEDED),
            _IGNORE_CASE,
            EvaluatorOption("full", "the whole answer has to fit", default=False),
        ),
        apart=True,
    ),
    BuiltinEvaluator(
        "length",
        f"{_TEXTS}:Length",
        "how long the answer is, and whether that is within limits",
        (ANSWER,),
        (
            EvaluatorOutput("length", "how many there are", higher_is_better=None, high=None),
            _yes_or_no("length_fits", "1 when it is within the limits"),
        ),
        (
            EvaluatorOption("unit", "characters, words or lines", default="characters"),
            EvaluatorOption("minimum", "the fewest that are allowed"),
            EvaluatorOption("maximum", "the most that are allowed"),
        ),
    ),
)

_VALUE_MATCHES = (
    BuiltinEvaluator(
        "is_json",
        f"{_JSON}:IsJson",
        "the answer is JSON",
        (ANSWER,),
        (_yes_or_no("is_json", "1 when it is"),),
        (EvaluatorOption("expected", "any, object or list", default="any"),),
    ),
    BuiltinEvaluator(
        "json_schema",
        f"{_JSON}:JsonSchema",
        "the answer is JSON that fits a JSON schema",
        (ANSWER,),
        (
            _yes_or_no("json_schema", "1 when it fits"),
            EvaluatorOutput("reason", "the first place that does not fit, and why", kind="text"),
        ),
        (EvaluatorOption("schema", "the schema, or the path of a JSON file with it", NEEDED, is_file=True),),
        apart=True,  # schemas have regular expressions
    ),
    BuiltinEvaluator(
        "json_equality",
        f"{_JSON}:JsonEquality",
        "the answer and the expected value are the same JSON value",
        (ANSWER, EXPECTED),
        (
            _yes_or_no("json_equality", "1 when they are"),
            EvaluatorOutput("reason", "the first place where they differ", kind="text"),
        ),
        (
            EvaluatorOption("ignore_order", "the order of lists does not count", default=False),
            EvaluatorOption("ignore_keys", "names of keys that do not count, wherever they stand", default=()),
            EvaluatorOption("numeric_tolerance", "numbers that differ by no more are equal", default=0.0),
        ),
    ),
    BuiltinEvaluator(
        "numeric_tolerance",
        "flowyard.evaluation.builtin.numeric:NumericTolerance",
        "the answer is a number near the expected one",
        (ANSWER, EXPECTED),
        (
            _yes_or_no("numeric_tolerance", "1 when it differs by no more than allowed"),
            EvaluatorOutput(
                "absolute_error", "by how much it differs; null for no number", higher_is_better=False, high=None
            ),
        ),
        (
            EvaluatorOption("absolute", "the difference that is allowed", default=0.0),
            EvaluatorOption("relative", "the share of the expected number that is allowed", default=0.0),
        ),
    ),
    BuiltinEvaluator(
        "tool_call_accuracy",
        "flowyard.evaluation.builtin.tool_calls:ToolCallAccuracy",
        "the answer calls the expected tools with the expected arguments",
        (
            EvaluatorInput("answer", "tool calls in the form of OpenAI: a list, or a message with tool_calls; or null"),
            EvaluatorInput("ground_truth", "the expected calls in that form, or as {name, arguments}; [] for none"),
        ),
        (
            EvaluatorOutput("tool_call_accuracy", "right calls as a share of those expected or made, if more"),
            _yes_or_no("tool_calls_match", "1 when all are right and none is too many"),
            _yes_or_no("tool_names_match", "1 when the same tools are called, whatever the arguments"),
        ),
        (
            EvaluatorOption("ordered", "the order of the calls counts", default=False),
            EvaluatorOption("arguments", "exact, subset (more may be given) or ignore", default="exact"),
            EvaluatorOption("numeric_tolerance", "numbers that differ by no more are equal", default=0.0),
        ),
    ),
    BuiltinEvaluator(
        "classification",
        "flowyard.evaluation.builtin.classification:Classification",
        "the answer is the expected class, with a report on all classes",
        (ANSWER, EXPECTED),
        (
            EvaluatorOutput("correct", "1 when it is", kind="binary", metric="accuracy"),
            EvaluatorOutput("label", "the expected class", kind="text"),
            EvaluatorOutput("predicted", "the class that was given", kind="text"),
        ),
        (
            EvaluatorOption("labels", "the classes there are, in the order to show; others fail the line if expected"),
            EvaluatorOption("ignore_case", "capital and small letters are the same", default=False),
        ),
        (
            EvaluatorMetric("precision_macro", "the mean of the precision of the classes"),
            EvaluatorMetric("recall_macro", "the mean of the recall of the classes"),
            EvaluatorMetric("f1_macro", "the mean of the F1 of the classes"),
            EvaluatorMetric("precision_weighted", "the same mean, weighed by how often a class is expected"),
            EvaluatorMetric("recall_weighted", "as precision_weighted"),
            EvaluatorMetric("f1_weighted", "as precision_weighted"),
            EvaluatorMetric("classes", "precision, recall, f1 and support of each class", None, None, None),
            EvaluatorMetric(
                "confusion_matrix",
                "{labels, counts}: counts[i][j] lines of class labels[i] were given as labels[j]",
                None,
                None,
                None,
            ),
        ),
    ),
)

MATCHES = (*_TEXT_MATCHES, *_VALUE_MATCHES)
