"""One look: each rule is measured, states follow, and what people have to know is written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from flowyard._util.moments import moment_text
from flowyard.notify.model import Notice
from flowyard.production.alerts.measure import DriftLook, Meter
from flowyard.production.alerts.model import AlertRule, AlertState, Measured, MonitoringPolicy
from flowyard.production.alerts.states import News, Step, following, without_rule
from flowyard.production.alerts.tables import Message, Written, change_states, message_id
from flowyard.production.store.rows import column_text
from flowyard.production.store.store import ProductionStore

__all__ = ["Alert", "look"]


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule and where it stands for a version, or for the flow under no name."""

    rule: AlertRule
    state: AlertState


def look(store: ProductionStore, policy: MonitoringPolicy, drift: DriftLook, now: datetime) -> Sequence[Alert]:
    """Measure, and write down the states and messages that follow; the alerts that are not ``ok`` come first.

    Times are kept in milliseconds. Raises StoreError.
    """
    now = now.astimezone(UTC).replace(microsecond=now.microsecond // 1000 * 1000)
    meter = Meter(store, policy.flow, now, drift)
    measured = {rule.name: [_stored(each) for each in meter.measure(rule)] for rule in policy.rules}

    def change(before: Mapping[tuple[str, str], AlertState]) -> Written:
        steps = _steps(policy, measured, before, now)
        told = (message for step in steps for message in _messages(policy, step, now))
        return Written([step.state for step in steps], list(told))

    rules = {rule.name: rule for rule in policy.rules}
    states = [each for each in change_states(store, policy.flow, change).states if each.rule in rules]
    order = ("firing", "pending", "resolved", "ok")
    states.sort(key=lambda each: (order.index(each.state), each.rule, each.group))
    return [Alert(rules[each.rule], each) for each in states]


def _stored(measured: Measured) -> Measured:
    """With its group as a column has it."""
    return replace(measured, group=column_text(measured.group))


def _steps(
    policy: MonitoringPolicy,
    measured: Mapping[str, Sequence[Measured]],
    before: Mapping[tuple[str, str], AlertState],
    now: datetime,
) -> list[Step]:
    """The step of each group that was measured, that was known, or whose rule is no more."""
    steps = []
    for rule in policy.rules:
        seen = {each.group: each for each in measured[rule.name]}
        gone = [group for name, group in before if name == rule.name and group not in seen]
        everything = [*seen.values(), *(Measured(group, None, None, "There are no requests.") for group in gone)]
        steps += [following(before.get((rule.name, each.group)), rule, each, now) for each in everything]
    known = {rule.name for rule in policy.rules}
    old = [state for (name, _), state in before.items() if name not in known and state.state in ("firing", "pending")]
    return [*steps, *(without_rule(state, now) for state in old)]


def _messages(policy: MonitoringPolicy, step: Step, now: datetime) -> list[Message]:
    if step.news is None:
        return []
    state = step.state
    rule = next((each for each in policy.rules if each.name == state.rule), None)
    targets = policy.notify if rule is None or rule.notify is None else rule.notify
    found = []
    for target in dict.fromkeys(targets):
        about = message_id(policy.flow, state.rule, state.group, state.episode, step.news, target)
        found.append(Message(about, target, _notice(policy, rule, state, step.news, about, now), now))
    return found


def _notice(
    policy: MonitoringPolicy, rule: AlertRule | None, state: AlertState, news: News, id_: str, now: datetime
) -> Notice:
    severity = rule.severity if rule else "info"
    head = severity.upper() if news == "firing" else "Resolved"
    of_version = [("version", state.group)] if state.group else []
    rows = [
        ("alert", state.rule),
        ("rule", rule.when.text if rule else "removed"),
        ("flow", policy.flow),
        *of_version,
        ("value", state.text),
        ("severity", severity),
        ("at", moment_text(now)),
        ("message", id_),
    ]
    place = f"{policy.flow} version {state.group}" if state.group else policy.flow
    text = f"{state.rule} {'fires' if news == 'firing' else 'is over'} for {place}: {state.text}"
    return Notice(f"{head}: {state.rule} of {place}", text, rows)
