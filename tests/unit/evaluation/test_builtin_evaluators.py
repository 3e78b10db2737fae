"""Evaluators that come with flowyard, against worked examples and published values."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowyard.errors import LineError, UserError
from flowyard.evaluation.builtin.classification import Classification, classification_report
from flowyard.evaluation.builtin.edit_distance import EditDistance, edit_distance
from flowyard.evaluation.builtin.embedding_similarity import cosine
from flowyard.evaluation.builtin.json_values import IsJson, JsonEquality, JsonSchema
from flowyard.evaluation.builtin.numeric import NumericTolerance
from flowyard.evaluation.builtin.spent import Cost, percentile
from flowyard.evaluation.builtin.texts import (
    Contains,
    ContainsAll,
    ContainsAny,
    ExactMatch,
    Length,
    Regex,
    StartsWith,
)
from flowyard.evaluation.builtin.tool_calls import ToolCallAccuracy
from flowyard.evaluation.builtin.word_scores import F1, Bleu, Rouge
from flowyard.evaluation.means import means

ORACLE = json.loads(Path(__file__).with_name("text_metrics.json").read_text("utf-8"))["pairs"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("options", "answer", "expected", "score"),
    [
        ({}, "Paris", "Paris", 1),
        ({}, "paris", "Paris", 0),
        ({"ignore_case": True}, "paris", "Paris", 1),
        ({}, " Paris\n", "Paris", 0),
        ({"strip": True}, " Paris\n", "Paris", 1),
        ({"normalize": True}, "The  cat, sat.", "a cat sat", 1),
        ({}, 5, "5", 1),
        ({}, True, "true", 1),
        ({}, "1.0", "1.00", 0),
        ({}, None, "", 0),
        ({}, None, "None", 0),
    ],
)
def test_exact_match(options: dict[str, Any], answer: Any, expected: Any, score: int) -> None:
    assert ExactMatch(**options)(answer=answer, ground_truth=expected) == {"exact_match": score}


@pytest.mark.parametrize(
    "evaluator", [ExactMatch(), Contains(), EditDistance(), JsonEquality(), F1(), Classification()]
)
def test_a_line_that_nobody_labelled_is_no_wrong_answer(evaluator: Any) -> None:
    with pytest.raises(LineError, match="There is no expected value"):
        evaluator(answer="x", ground_truth=None)


def test_searching_for_texts() -> None:
    assert Contains()(answer="one two", ground_truth="two") == {"contains": 1}
    assert Contains(expected="Two", ignore_case=True)(answer="one two") == {"contains": 1}
    assert ContainsAny(expected=["x", "one"])(answer="one two") == {"contains_any": 1}
    assert ContainsAny()(answer="one", ground_truth=["x", "y"]) == {"contains_any": 0}
    assert ContainsAll(expected=["one", "x"])(answer="one two") == {"contains_all": 0, "share_found": 0.5}
    assert StartsWith(expected="one")(answer="one two") == {"starts_with": 1}
    assert StartsWith(expected="two")(answer="one two") == {"starts_with": 0}
    assert Contains(expected="a")(answer=None) == {"contains": 0}
    with pytest.raises(LineError, match="is empty"):
        ContainsAll(expected=[])(answer="one")


def test_regular_expressions() -> None:
    assert Regex(r"\d{2}")(answer="a 42") == {"regex": 1}
    assert Regex(r"\d{2}", full=True)(answer="a 42") == {"regex": 0}
    assert Regex("A", ignore_case=True)(answer="a") == {"regex": 1}
    assert Regex(".*")(answer=None) == {"regex": 0}
    with pytest.raises(UserError, match="'pattern' is not a regular expression"):
        Regex("(")


def test_length() -> None:
    assert Length()(answer="four") == {"length": 4, "length_fits": 1}
    assert Length("words", maximum=1)(answer="one two") == {"length": 2, "length_fits": 0}
    assert Length("lines", minimum=2)(answer="one\ntwo") == {"length": 2, "length_fits": 1}
    with pytest.raises(UserError, match="'unit' is 'pages'"):
        Length("pages")


def test_is_json() -> None:
    assert IsJson()(answer="[1]") == {"is_json": 1}
    assert IsJson("object")(answer="[1]") == {"is_json": 0}
    assert IsJson()(answer="NaN") == {"is_json": 0}
    assert IsJson()(answer="[" * 100_000) == {"is_json": 0}
    assert IsJson()(answer=None) == {"is_json": 0}


def test_json_schema_names_the_first_place(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}}}}
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(schema))
    fits = JsonSchema(str(file))
    assert fits(answer='{"a": [1, 2]}') == {"json_schema": 1, "reason": None}
    found = fits(answer={"a": [1, "x", "y"]})
    assert found["json_schema"] == 0
    assert found["reason"].startswith("$.a[1]: ")
    assert fits(answer="{")["reason"].startswith("$: not JSON")
    with pytest.raises(UserError, match="cannot be read"):
        JsonSchema(str(tmp_path / "missing.json"))
    with pytest.raises(UserError, match="not a JSON schema"):
        JsonSchema({"type": "nonsense"})


def test_json_schema_fetches_nothing() -> None:
    with pytest.raises(LineError, match="refers to"):
        JsonSchema({"$ref": "http://127.0.0.1:9/schema.json"})(answer="{}")


@pytest.mark.parametrize(
    ("options", "answer", "expected", "reason"),
    [
        ({}, '{"b": 1, "a": [1, 2]}', {"a": [1, 2], "b": 1.0}, None),
        ({}, [1, 2], [2, 1], "$[0]: 1, expected 2."),
        ({"ignore_order": True}, [1, 2, [3, 4]], [[4, 3], 2, 1], None),
        ({"ignore_order": True}, [1, 1, 2], [1, 2, 2], "$[1]: 1 is not among what is expected."),
        ({}, {"a": 1, "id": 7}, {"a": 1}, "$.id: not expected."),
        ({"ignore_keys": ["id"]}, [{"a": 1, "id": 7}], [{"a": 1}], None),
        ({}, {"a": {}}, {"a": {"b": 1}}, "$.a.b: missing."),
        ({}, True, 1, "$: True, expected 1."),
        ({"numeric_tolerance": 0.1}, [1.05], [1], None),
        ({}, [1], [1, 2], "$: 1 items, expected 2."),
    ],
)
def test_json_equality(options: dict[str, Any], answer: Any, expected: Any, reason: str | None) -> None:
    found = JsonEquality(**options)(answer=answer, ground_truth=expected)
    assert found == {"json_equality": int(reason is None), "reason": reason}


@given(JSON.filter(lambda value: value is not None), st.booleans())
def test_a_json_value_equals_itself_as_text(value: Any, ignore_order: bool) -> None:
    found = JsonEquality(ignore_order)(answer=json.dumps(value), ground_truth=json.dumps(value))
    assert found["json_equality"] == 1


@pytest.mark.parametrize(
    ("options", "answer", "expected", "fits", "error"),
    [
        ({}, "1.0", 1, 1, 0),
        ({}, 1.1, 1, 0, 0.1),
        ({"absolute": 0.2}, 1.1, 1, 1, 0.1),
        ({"relative": 0.1}, "105", "100", 1, 5),
        ({"relative": 0.01}, 105, 100, 0, 5),
        ({"absolute": 9}, "none", 1, 0, None),
        ({"absolute": 9}, None, 1, 0, None),
        ({"absolute": 9}, "nan", 1, 0, None),
        ({"absolute": 9}, True, 1, 0, None),
    ],
)
def test_numeric_tolerance(options: dict[str, Any], answer: Any, expected: Any, fits: int, error: float | None) -> None:
    found = NumericTolerance(**options)(answer=answer, ground_truth=expected)
    assert found["numeric_tolerance"] == fits
    assert found["absolute_error"] == (None if error is None else pytest.approx(error))


def test_an_expected_value_that_is_no_number_fails_the_line() -> None:
    with pytest.raises(LineError, match="not a number"):
        NumericTolerance()(answer=1, ground_truth="one")
    with pytest.raises(UserError, match="0 or more"):
        NumericTolerance(absolute=-1)


def naive_distance(first: str, second: str) -> int:
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(second, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (letter != other))
    return row[-1]


@given(st.text("abc", max_size=80), st.text("abc", max_size=80))
def test_edit_distance_is_that_of_the_textbook(first: str, second: str) -> None:
    assert edit_distance(first, second) == naive_distance(first, second)


def test_edit_distance_of_known_words() -> None:
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("intention", "execution") == 5
    assert EditDistance()(answer="", ground_truth="") == {"edit_similarity": 1.0, "edit_distance": 0}
    assert EditDistance(ignore_case=True)(answer="AB", ground_truth="ab")["edit_distance"] == 0
    assert EditDistance()(answer=None, ground_truth="abcd") == {"edit_similarity": 0.0, "edit_distance": 4}


def test_the_classification_report_of_the_scikit_learn_user_guide() -> None:
    names = ["class 0", "class 1", "class 2"]
    pairs = [(names[true], names[given]) for true, given in zip([0, 1, 2, 2, 0], [0, 0, 2, 1, 0], strict=True)]
    report = classification_report(pairs)
    rounded = {
        name: {score: round(value, 2) for score, value in each.items() if score != "given"}
        for name, each in report["classes"].items()
    }
    assert rounded == {
        "class 0": {"precision": 0.67, "recall": 1.0, "f1": 0.8, "support": 2},
        "class 1": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1},
        "class 2": {"precision": 1.0, "recall": 0.5, "f1": 0.67, "support": 2},
    }
    assert report["accuracy"] == 0.6
    assert [round(report[f"{score}_macro"], 2) for score in ("precision", "recall", "f1")] == [0.56, 0.5, 0.49]
    assert [round(report[f"{score}_weighted"], 2) for score in ("precision", "recall", "f1")] == [0.67, 0.6, 0.59]
    assert report["confusion_matrix"] == {"labels": names, "counts": [[2, 0, 0], [1, 0, 0], [0, 1, 1]]}


def test_classification_of_lines() -> None:
    judge = Classification(labels=["yes", "no"], ignore_case=True)
    assert judge(answer=" YES ", ground_truth="Yes") == {"correct": 1, "label": "yes", "predicted": "yes"}
    assert judge(answer=None, ground_truth="no") == {"correct": 0, "label": "no", "predicted": ""}
    with pytest.raises(LineError, match="none of the classes"):
        judge(answer="yes", ground_truth="maybe")
    rows = [judge(answer=given, ground_truth=label) for given, label in (("yes", "yes"), ("perhaps", "no"))]
    assert judge.__aggregate__(rows)["confusion_matrix"] == {
        "labels": ["yes", "no", "perhaps"],
        "counts": [[1, 0, 0], [0, 0, 1], [0, 0, 0]],
    }
    assert judge.__aggregate__([]) == {}


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"id": "x", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


@pytest.mark.parametrize(
    ("options", "made", "expected", "scores"),
    [
        ({}, [call("a", x=1), call("b")], [{"name": "b"}, {"name": "a", "arguments": {"x": 1}}], (1, 1, 1)),
        ({"ordered": True}, [call("a"), call("b")], [call("b"), call("a")], (0, 0, 0)),
        ({}, [call("a", x=1)], [call("a", x=2)], (0, 0, 1)),
        ({"arguments": "ignore"}, [call("a", x=1)], [call("a", x=2)], (1, 1, 1)),
        ({"arguments": "subset"}, [call("a", x=1, y=2)], [call("a", x=1)], (1, 1, 1)),
        ({}, [call("a", x=1, y=2)], [call("a", x=1)], (0, 0, 1)),
        ({}, [call("a"), call("a")], [call("a")], (0.5, 0, 0)),
        ({}, {"role": "assistant", "tool_calls": [call("a")]}, [call("a")], (1, 1, 1)),
        ({}, None, [], (1, 1, 1)),
        ({}, "I cannot do that.", [], (0, 0, 0)),
        ({}, None, [call("a")], (0, 0, 0)),
    ],
)
def test_tool_calls(options: dict[str, Any], made: Any, expected: Any, scores: tuple[float, int, int]) -> None:
    found = ToolCallAccuracy(**options)(answer=made, ground_truth=expected)
    assert tuple(found.values()) == scores


@pytest.mark.usefixtures("nltk_data")
def test_word_scores_are_those_for_promptflow() -> None:
    for pair in ORACLE:
        if not pair["answer"].strip() or not pair["ground_truth"].strip():
            continue
        texts = {"answer": pair["answer"], "ground_truth": pair["ground_truth"]}
        for name, judge in (("bleu", Bleu()), ("rouge:rougeL", Rouge())):
            for score, value in pair["scores"][name].items():
                assert judge(**texts)[score] == pytest.approx(value, abs=1e-12)


def test_no_answer_shares_no_words() -> None:
    assert F1()(answer=None, ground_truth="x") == {"f1_score": 0.0}
    assert F1()(answer="", ground_truth="x") == {"f1_score": 0.0}
    with pytest.raises(UserError, match="rouge9"):
        Rouge("rouge9")


def test_cosine() -> None:
    assert cosine([1, 0], [0, 2]) == 0
    assert cosine([1, 1], [2, 2]) == pytest.approx(1)
    assert cosine([1, 0], [-3, 0]) == -1
    assert cosine([0, 0], [1, 0]) == 0
    with pytest.raises(LineError, match="2 and 3 numbers"):
        cosine([1, 0], [1, 0, 0])


def test_percentiles_lie_between_their_neighbours() -> None:
    assert percentile([1, 2, 3, 4], 0.5) == 2.5
    assert percentile([1, 2, 3, 4, 5], 0.95) == pytest.approx(4.8)
    assert percentile([7], 0.95) == 7


def test_a_price_that_is_not_known_is_not_zero() -> None:
    with pytest.raises(LineError, match="not known"):
        Cost()(cost_usd=None)


def test_means_leave_out_what_is_no_number() -> None:
    rows = [{"a": 1, "b": True, "c": "x"}, {"a": None, "b": False, "c": 1}, {"a": math.nan}]
    assert means(rows) == {"a": 1, "b": 0.5}
    assert means([1, 2]) == {"output": 1.5}
    assert means([]) == {}
