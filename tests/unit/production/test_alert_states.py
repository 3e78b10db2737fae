"""States of alerts: what follows from what was measured, and when people are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowyard.production.alerts.conditions import parse_condition
from flowyard.production.alerts.model import AlertRule, AlertState, Measured
from flowyard.production.alerts.states import following, without_rule

START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def measured(holds: bool | None, requests: int = 100) -> Measured:
    return Measured("1", holds, 0.5, "0.5", requests)


def rule(when: str, cooldown: timedelta = timedelta(hours=1)) -> AlertRule:
    return AlertRule("errors", parse_condition(when), cooldown=cooldown)


def course(given_rule: AlertRule, seen: str) -> list[str]:
    """A look each minute; ``y`` holds, ``n`` does not, ``?`` too few, ``0`` no requests: the state and the news."""
    state: AlertState | None = None
    found = []
    for number, letter in enumerate(seen):
        holds = {"y": True, "n": False}.get(letter)
        step = following(state, given_rule, measured(holds, 0 if letter == "0" else 9), START + number * MINUTE)
        state = step.state
        found.append(state.state + (f" {step.news}!" if step.news else ""))
    return found


def test_a_rule_without_a_duration_fires_at_once_and_is_told_once():
    assert course(rule("error_rate > 0.05"), "nyyynn") == [
        "ok",
        "firing firing!",
        "firing",
        "firing",
        "resolved resolved!",
        "resolved",
    ]


def test_what_has_to_last_is_pending_first():
    given_rule = rule("error_rate > 0.05 for 2m")
    assert course(given_rule, "yynyyyn") == [
        "pending",
        "pending",
        "ok",
        "pending",
        "pending",
        "firing firing!",
        "resolved resolved!",
    ]
    assert course(given_rule, "yy?yyy") == ["pending", "pending", "ok", "pending", "pending", "firing firing!"]


def test_too_few_requests_keep_an_alert_and_none_end_it():
    assert course(rule("error_rate > 0.05"), "y??0") == ["firing firing!", "firing", "firing", "resolved resolved!"]


def test_people_are_not_told_again_before_the_cooldown():
    given_rule = rule("error_rate > 0.05", cooldown=5 * MINUTE)
    assert course(given_rule, "ynynyyyy") == [
        "firing firing!",
        "resolved resolved!",
        "firing",
        "resolved",
        "firing",
        "firing firing!",
        "firing",
        "firing",
    ]


def test_a_rule_that_is_no_more_ends_its_alert():
    state = following(None, rule("requests < 1"), measured(True), START).state
    assert without_rule(state, START + MINUTE).news == "resolved"
    assert without_rule(AlertState("a", "", "pending", START), START).state.state == "ok"


looks = st.lists(
    st.tuples(st.sampled_from([True, False, None]), st.integers(0, 3), st.integers(-3, 40)), min_size=1, max_size=60
)


@settings(deadline=None, derandomize=True, max_examples=150, suppress_health_check=list(HealthCheck))
@given(looks, st.sampled_from(["", " for 7m"]), st.integers(0, 30))
def test_news_take_turns(seen: list[tuple[bool | None, int, int]], lasting: str, cooldown: int):
    """Whatever is seen, also with clocks that go back: firing, resolved, firing …; and quiet for the cooldown."""
    given_rule = rule(f"error_rate > 0.1{lasting}", cooldown * MINUTE)
    state: AlertState | None = None
    now, news, told_at = START, [], []
    for holds, requests, later in seen:
        now += later * MINUTE
        state, said = following(state, given_rule, measured(holds, requests), now)
        if said:
            news.append(said)
        if said == "firing":
            assert state.state == "firing"
            assert not told_at or not told_at[-1] <= now < told_at[-1] + given_rule.cooldown
            told_at.append(now)
        if said == "resolved":
            assert state.state == "resolved"
    assert news == (["firing", "resolved"] * len(news))[: len(news)]


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("error_rate > 0.05 over 1h for 10m", "error_rate > 0.05 over 1h for 10m"),
        ("latency_s.p95>3", "latency_s.p95 > 3 over 10m"),
        ("cost_usd > 20 over 1d", "cost_usd > 20 over 1d"),
        ("feedback.score drops 0.1 over 2h against 7d", "feedback.score drops 0.1 over 2h against 7d"),
        ("drift.inputs.question.length", "drift.inputs.question.length over 10m"),
        ("drift over 1d for 1h30m", "drift over 1d for 1h30m"),
    ],
)
def test_conditions(text: str, again: str):
    assert parse_condition(text).text == again
    assert parse_condition(again) == parse_condition(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "write METRIC"),
        ("eror_rate > 1", "error_rate"),
        ("nonsense > 1", "Known: requests"),
        ("error_rate", "needs a number"),
        ("error_rate > -1", "no number from 0"),
        ("error_rate > 1e999", "no number from 0"),
        ("error_rate > 1 over", "no duration"),
        ("error_rate > 1 over 5", "no duration"),
        ("error_rate > 1 since 5m", "'since'"),
        ("error_rate > 1 over 5m over 6m", "'over'"),
        ("error_rate > 1 against 5m", "rises or drops"),
        ("drift > 3", "no number"),
        ("error_rate > 1; rm", "write METRIC"),
    ],
)
def test_conditions_that_cannot_be(text: str, why: str):
    with pytest.raises(ValueError, match=why):
        parse_condition(text)
