"""The judges of experiments: what they ask, how they go on when an endpoint or an answer is no good, and votes."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from judge_model import Refusal, ask, endpoint, judged

from flowyard.errors import ConnectionMissing, ProviderError, UserError
from flowyard.evaluation.judges import (
    JUDGES,
    Coherence,
    Fluency,
    Groundedness,
    Pairwise,
    QuestionAnswering,
    Relevance,
    Retrieval,
    Rubric,
    Similarity,
)
from flowyard.evaluation.subjects import EvaluatorSource, find_subject
from flowyard.llm.cache import CacheMode, CacheRules
from flowyard.llm.call_rules import CallRules
from flowyard.llm.providers import ProviderOpener

pytestmark = pytest.mark.filterwarnings("error")

MATERIAL = {"question": "Where?", "answer": "In Oslo.", "context": "It is in Oslo.", "ground_truth": "Oslo"}
MODEL = {"connection": "grader", "model": "m"}


def data_of(body: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(body["messages"][1]["content"].splitlines()[1])
    return data


@pytest.mark.parametrize(
    ("kind", "name", "shown"),
    [
        (Groundedness, "groundedness", ["context", "answer"]),
        (Relevance, "relevance", ["question", "context", "answer"]),
        (Coherence, "coherence", ["question", "answer"]),
        (Fluency, "fluency", ["answer"]),
        (Similarity, "similarity", ["question", "ground_truth", "answer"]),
        (Retrieval, "retrieval", ["question", "context"]),
    ],
)
def test_a_judge_shows_its_material_as_data_and_gives_grade_and_reason(kind: Any, name: str, shown: list[str]):
    given = {label: MATERIAL[label] for label in shown}
    with endpoint(lambda body: judged(body, 4, "Good.")) as model:
        assert ask(model.connection, lambda: kind(**MODEL), given) == [{name: 4.0, "reason": "Good."}]
    (body,) = model.asked
    assert data_of(body) == given
    assert body["temperature"] == 0.0
    assert "seed" not in body
    assert body["model"] == "m"
    assert body["response_format"]["json_schema"]["strict"] is True
    assert not any(text in body["messages"][0]["content"] for text in given.values())
    assert JUDGES[name] is kind


def test_all_judges_of_an_answer_at_once():
    grades = {"How far does the context": 5, "How well does the answer address": 4, "How well do the sentences": 3}
    grades |= {"How well is the answer written": 2, "How far does the answer say the same": 1}

    def reply(body: dict[str, Any]) -> str:
        system = body["messages"][0]["content"]
        return judged(body, next(grade for start, grade in grades.items() if start in system))

    lines = [MATERIAL, {"question": "Where?", "answer": "Oslo."}]
    with endpoint(reply) as model:
        whole, part = ask(model.connection, lambda: QuestionAnswering(**MODEL), *lines)
        (one,) = ask(model.connection, lambda: QuestionAnswering(judges=["fluency"], **MODEL), MATERIAL)
    names = ["groundedness", "relevance", "coherence", "fluency", "similarity"]
    assert {name: whole[name] for name in names} == dict(zip(names, [5.0, 4.0, 3.0, 2.0, 1.0], strict=True))
    assert whole["similarity_reason"] == "So."
    assert set(part) == {f"{name}{end}" for name in names[1:4] for end in ("", "_reason")}
    assert one == {"fluency": 2.0, "fluency_reason": "So."}
    metrics = QuestionAnswering(**MODEL).__aggregate__([whole, part])
    assert metrics["groundedness"] == 5.0
    assert metrics["fluency_ungraded"] == 0


def test_a_form_that_the_endpoint_refuses_is_not_asked_for_again():
    def reply(body: dict[str, Any]) -> str:
        if "response_format" in body:
            raise Refusal(f"response_format {body['response_format']['type']} is not supported")
        return f"My judgement: {judged(body, 3)}"

    with endpoint(reply) as model:
        found = ask(model.connection, lambda: Fluency(**MODEL), {"answer": "a"}, {"answer": "b"})
    assert [each["fluency"] for each in found] == [3.0, 3.0]
    forms = [body.get("response_format", {}).get("type") for body in model.asked]
    assert forms == ["json_schema", "json_object", None, None]


def test_a_seed_and_a_temperature_that_are_refused_are_left_out():
    def reply(body: dict[str, Any]) -> str:
        for name in ("temperature", "seed"):
            if name in body:
                raise Refusal(f"Unsupported parameter: {name}")
        return judged(body, 3)

    with endpoint(reply) as model:
        judge = lambda: Fluency(**MODEL, seed=7)  # noqa: E731 - made where the services are
        assert ask(model.connection, judge, {"answer": "a"}, {"answer": "b"})[1]["fluency"] == 3.0
    assert [("temperature" in body, "seed" in body) for body in model.asked] == [
        (True, True),
        (False, True),
        (False, False),
        (False, False),
    ]
    assert all("response_format" in body for body in model.asked)


def test_what_was_refused_is_kept_from_run_to_run(tmp_path: Path):
    def reply(body: dict[str, Any]) -> str:
        if "seed" in body or body.get("response_format", {}).get("type") == "json_schema":
            raise Refusal("seed is unknown" if "seed" in body else "Not this form.")
        return judged(body, 3)

    def asked(mode: CacheMode = "on", model: str = "m", **options: Any) -> int:
        before = len(endpoint_.asked)
        opener = ProviderOpener(CallRules(cache=CacheRules(tmp_path / "kept.sqlite", mode)))
        judge = lambda: Fluency(connection="grader", model=model, seed=7, **options)  # noqa: E731
        assert ask(endpoint_.connection, judge, {"answer": "a"}, opener=opener)[0]["fluency"] == 3.0
        return len(endpoint_.asked) - before

    with endpoint(reply) as endpoint_:
        assert asked() == 3
        assert asked() == 1, "outside of a line no answer is kept, but what was refused is"
        assert asked("refresh") == 3
        assert asked(model="another") == 3
        assert asked(canary=False) == 2, "another schema may be taken"
        assert asked("off") == 3


def test_a_refusal_of_everything_is_the_line_s_error():
    def reply(_body: dict[str, Any]) -> str:
        raise Refusal("The prompt is too long.")

    with endpoint(reply) as model, pytest.raises(ProviderError, match="The prompt is too long"):
        ask(model.connection, lambda: Fluency(**MODEL), {"answer": "a"})
    assert len(model.asked) == 3


def test_the_form_can_be_said():
    with endpoint(lambda body: judged(body, 3)) as model:
        ask(model.connection, lambda: Fluency(**MODEL, structured="text", canary=False), {"answer": "a"})
    (body,) = model.asked
    assert "response_format" not in body
    assert "canary" not in body["messages"][0]["content"]


def test_an_answer_that_cannot_be_read_is_asked_for_once_more():
    answers = iter(["A solid 4!", None])

    def reply(body: dict[str, Any]) -> str:
        return next(answers) or judged(body, 2)

    with endpoint(reply) as model:
        assert ask(model.connection, lambda: Fluency(**MODEL), {"answer": "a"}) == [{"fluency": 2.0, "reason": "So."}]
    first, second = model.asked
    assert "not one JSON object" in second["messages"][1]["content"]
    assert "A solid 4!" not in json.dumps(second)
    assert second["messages"][1]["content"].startswith(first["messages"][1]["content"])


@pytest.mark.parametrize("text", ["5", "Grade: 5", '{"grade": 5}', '{"reason": "x", "grade": 11}', "", None])
def test_two_answers_that_cannot_be_read_are_no_grade(text: str | None):
    with endpoint(lambda _body: text) as model:
        (found,) = ask(model.connection, lambda: Fluency(**MODEL), {"answer": "a"})
    assert math.isnan(found["fluency"])
    assert found["reason"].startswith("No grade: the ")
    assert len(model.asked) == 2
    metrics = Fluency(**MODEL).__aggregate__([found, {"fluency": 4.0}])
    assert metrics == {"fluency": 4.0, "ungraded": 1.0}


def test_votes_are_calls_of_their_own_and_make_one_grade():
    with endpoint(lambda body: judged(body, {10: 1, 11: 5, 12: 4}[body["seed"]])) as model:
        judge = lambda: Fluency(**MODEL, votes=3, seed=10)  # noqa: E731
        (found,) = ask(model.connection, judge, {"answer": "a"})
    assert found == {"fluency": 4.0, "reason": "So.", "votes": [1.0, 5.0, 4.0], "spread": 4.0}
    assert sorted(body["seed"] for body in model.asked) == [10, 11, 12]
    assert {body["temperature"] for body in model.asked} == {0.7}
    assert Fluency(**MODEL, votes=3).__aggregate__([found])["spread"] == 4.0


def test_a_rubric_has_a_scale_labels_examples_and_inputs_of_its_own():
    rubric = {
        "rubric": "Is the tone of {{ the reply }} kind?",
        "labels": {"rude": 0, "neutral": 0.5, "kind": 1},
        "meanings": {"kind": "It thanks or wishes well."},
        "examples": [{"material": {"answer": "No.\nuser: hi"}, "grade": "rude", "reason": "Curt."}],
    }
    with endpoint(lambda body: judged(body, "neutral")) as model:
        assert ask(model.connection, lambda: Rubric(**rubric, **MODEL), {"answer": {"text": "Hm."}}) == [
            {"rubric": 0.5, "reason": "So.", "label": "neutral"}
        ]
    (body,) = model.asked
    system = body["messages"][0]["content"]
    assert rubric["rubric"] in system
    assert "kind: It thanks or wishes well." in system
    assert '{"answer": "No.\\nuser: hi"} -> {"grade": "rude", "reason": "Curt."}' in system
    assert data_of(body) == {"answer": {"text": "Hm."}}
    assert Rubric(**rubric).bounds == {"rubric": (0.0, 1.0)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rubric": " "}, "criteria as a text"),
        ({"rubric": "x", "examples": "y"}, "list of material"),
        ({"rubric": "x", "examples": [{"grade": 5}]}, "list of material"),
        ({"rubric": "x", "examples": [{"material": {}, "grade": 9}]}, "from 1 to 5"),
        ({"rubric": "x", "examples": [{"material": {}, "grade": 5, "why": ""}]}, "'why'"),
        ({"rubric": "x", "sclae": [1, 2]}, "no option 'sclae'"),
    ],
)
def test_a_bad_rubric_is_refused(options: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message):
        Rubric(**options)


def prefers(text: str) -> Any:
    """A judge for whom the answer with this text in it is better."""

    def reply(body: dict[str, Any]) -> str:
        places = [name for name in ("first", "second") if text in data_of(body)[name]]
        return judged(body, places[0] if len(places) == 1 else "tie")

    return reply


def pair(answer: str, reference: str) -> dict[str, Any]:
    return {"question": "Where?", "answer": answer, "reference": reference}


def test_a_pair_is_judged_in_both_orders():
    with endpoint(prefers("Oslo")) as model:
        lines = [pair("Oslo.", "Rome."), pair("Rome.", "Oslo."), pair("Rome.", "Bonn.")]
        found = ask(model.connection, lambda: Pairwise(**MODEL), *lines)
    assert [(each["pairwise"], each["winner"], each["orders_disagree"]) for each in found] == [
        (1.0, "answer", 0.0),
        (0.0, "reference", 0.0),
        (0.5, "tie", 0.0),
    ]
    orders = Counter((data_of(body)["first"], data_of(body)["second"]) for body in model.asked)
    assert orders[("Oslo.", "Rome.")] == orders[("Rome.", "Oslo.")] == 2


@pytest.mark.parametrize(("place", "favoured"), [("first", 1.0), ("second", -1.0)])
def test_orders_that_disagree_are_a_tie_and_count_as_position_bias(place: str, favoured: float):
    with endpoint(lambda body: judged(body, place)) as model:
        (found,) = ask(model.connection, lambda: Pairwise(**MODEL), pair("a", "b"))
    assert (found["pairwise"], found["winner"], found["orders_disagree"]) == (0.5, "tie", 1.0)
    assert found["reason"].startswith("The orders disagree.")
    agreed = {"pairwise": 1.0, "orders_disagree": 0.0, "first_favoured": 0.0}
    metrics = Pairwise(**MODEL).__aggregate__([found, agreed])
    assert metrics == {"pairwise": 0.75, "ungraded": 0.0, "position_bias": 0.5, "first_favoured": favoured / 2}


def test_a_tie_in_one_order_only_is_a_disagreement():
    def reply(body: dict[str, Any]) -> str:
        return judged(body, "first" if data_of(body)["first"] == "a" else "tie")

    with endpoint(reply) as model:
        (found,) = ask(model.connection, lambda: Pairwise(**MODEL), pair("a", "b"))
    assert (found["pairwise"], found["orders_disagree"], found["first_favoured"]) == (0.5, 1.0, 0.5)


def test_an_order_without_a_judgement_is_no_grade():
    def reply(body: dict[str, Any]) -> str:
        return judged(body, "first") if data_of(body)["first"] == "a" else "I cannot say."

    with endpoint(reply) as model:
        (found,) = ask(model.connection, lambda: Pairwise(**MODEL), pair("a", "b"))
    assert math.isnan(found["pairwise"])
    assert found["winner"] is None
    assert math.isnan(found["orders_disagree"])


def test_votes_on_pairs():
    def reply(body: dict[str, Any]) -> str:
        better = "a" if body["seed"] < 2 else "b"
        return judged(body, next(place for place in ("first", "second") if data_of(body)[place] == better))

    with endpoint(reply) as model:
        (found,) = ask(model.connection, lambda: Pairwise(**MODEL, votes=3), pair("a", "b"))
    assert found["votes"] == [1.0, 1.0, 0.0]
    assert (found["pairwise"], found["winner"]) == (1.0, "answer")
    assert len(model.asked) == 6


def test_the_baseline_s_outputs_are_the_references(tmp_path: Any):
    rows = [{"line_number": 4, "city": "Oslo."}, {"line_number": 0, "city": "Rome."}]
    (tmp_path / "outputs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with endpoint(prefers("Oslo")) as model:
        judge = lambda: Pairwise(**MODEL, baseline=tmp_path, baseline_output="city")  # noqa: E731
        lines = [{"answer": "Oslo, Norway.", "line_number": 0}, {"answer": "Bonn.", "line_number": 4}]
        assert [each["winner"] for each in ask(model.connection, judge, *lines)] == ["answer", "reference"]
        with pytest.raises(ValueError, match="reference"):
            ask(model.connection, judge, {"answer": "Oslo.", "line_number": 7})
        with pytest.raises(UserError, match="no output 'answer'"):
            ask(model.connection, lambda: Pairwise(**MODEL, baseline=tmp_path), lines[0])
    with pytest.raises(UserError, match="there is no"):
        Pairwise(baseline=tmp_path / "other")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"baseline_run": "../old"}, "cannot be a run's name"),
        ({"baseline_rnu": "old"}, "takes no option 'baseline_rnu'"),
    ],
)
def test_a_run_that_cannot_be_one_is_refused(options: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message):
        find_subject(EvaluatorSource(type="pairwise", options=options))


def test_there_must_be_something_to_grade():
    with endpoint(lambda body: judged(body, 5)) as model:
        with pytest.raises(ValueError, match="'context' must not be empty"):
            ask(model.connection, lambda: Groundedness(**MODEL), {"answer": "a", "context": ""})
        with pytest.raises(ValueError, match="'answer' must not be empty"):
            ask(model.connection, lambda: Rubric("x", **MODEL), {"answer": ""})
    assert model.asked == []


def test_a_connection_that_is_not_there_is_found_before_the_first_line():
    with endpoint(lambda body: judged(body, 5)) as model, pytest.raises(ConnectionMissing, match="nobody"):
        ask(model.connection, lambda: Fluency(connection="nobody", model="m"))


async def test_a_judge_outside_of_a_flow_says_so():
    with pytest.raises(UserError, match="while a flow runs"):
        await Fluency(**MODEL)(answer="a")
