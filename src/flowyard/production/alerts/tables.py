"""States of alerts and the messages of them, in the store: a message is written together with the state it is of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flowyard._util.files import dump_json
from flowyard.notify.model import Notice
from flowyard.production.alerts.model import AlertState, StateName
from flowyard.production.records.instants import milliseconds, moment
from flowyard.production.store.rows import column_text
from flowyard.production.store.store import ProductionStore
from flowyard.store.database import Session

__all__ = ["Message", "Written", "change_states", "message_ended", "read_states", "waiting_messages"]

_STATE = "rule, grouped, state, since_ms, episode, told, told_ms, value, detail"
_MOST_TEXT = 1000
_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Message:
    """One notice for one target. ``id`` is the same however often it is sent."""

    id: str
    target: str
    notice: Notice
    at: datetime


@dataclass(frozen=True, slots=True)
class Written:
    """The states after a look, and the messages that it wrote down."""

    states: Sequence[AlertState]
    messages: Sequence[Message] = ()


def read_states(store: ProductionStore, flow: str) -> Sequence[AlertState]:
    """The alerts of a flow as the last look left them, by rule and group."""
    return store.tables.read(lambda session: _states(session, flow), [])


def change_states(
    store: ProductionStore, flow: str, change: Callable[[Mapping[tuple[str, str], AlertState]], Written]
) -> Written:
    """Replace the states of a flow and add messages, all or nothing; ``change`` may be called again.

    Two at once write the same messages, as the id of one is made of what it is about.
    """

    def writing(session: Session) -> Written:
        before = {(each.rule, each.group): each for each in _states(session, flow)}
        written = change(before)
        for state in written.states:
            if before.get((state.rule, state.group)) != state:
                _put(session, flow, state)
        for message in written.messages:
            _add(session, flow, message)
        _forget_old(session, flow, written.messages)
        return written

    return store.tables.write(writing)


def waiting_messages(store: ProductionStore, flow: str) -> Sequence[Message]:
    """The messages that nobody has sent yet, the oldest first."""
    sql = (
        "SELECT id, target, at_ms, notice FROM flowyard_alert_messages WHERE flow = ? AND ended = '' "
        "ORDER BY at_ms, id LIMIT 1000"
    )

    def reading(session: Session) -> list[Message]:
        return [_message(*row) for row in session.execute(sql, (column_text(flow),)).fetchall()]

    return store.tables.read(reading, [])


def message_ended(store: ProductionStore, message: Message, how: str, at: datetime) -> None:
    """A message was ``sent``, or ``given up``."""
    sql = "UPDATE flowyard_alert_messages SET ended = ?, ended_ms = ? WHERE id = ?"
    store.tables.write(lambda session: session.execute(sql, (how, milliseconds(at), message.id)))


def message_id(*about: str | int) -> str:
    """The id of a message about these."""
    return hashlib.blake2b(json.dumps(about).encode(), digest_size=16).hexdigest()


def _states(session: Session, flow: str) -> list[AlertState]:
    sql = f"SELECT {_STATE} FROM flowyard_alerts WHERE flow = ? ORDER BY rule, grouped"  # noqa: S608
    return [_state(*row) for row in session.execute(sql, (column_text(flow),)).fetchall()]


def _state(
    rule: str, group: str, state: StateName, since: int, episode: int, told: int, told_ms: Any, value: Any, text: str
) -> AlertState:
    last_told = None if told_ms is None else moment(int(told_ms))
    number = None if value is None else float(value)
    return AlertState(rule, group, state, moment(int(since)), int(episode), bool(told), last_told, number, text)


def _put(session: Session, flow: str, state: AlertState) -> None:
    told_ms = None if state.last_told is None else milliseconds(state.last_told)
    values = (
        column_text(flow),
        column_text(state.rule),
        column_text(state.group),
        state.state,
        milliseconds(state.since),
        state.episode,
        int(state.told),
        told_ms,
        state.value,
        _valid(state.text)[:_MOST_TEXT],
    )
    sets = ", ".join(f"{name} = excluded.{name}" for name in _STATE.split(", ")[2:])
    session.execute(
        f"INSERT INTO flowyard_alerts (flow, {_STATE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608
        f"ON CONFLICT (flow, rule, grouped) DO UPDATE SET {sets}",
        values,
    )


def _add(session: Session, flow: str, message: Message) -> None:
    notice = {"title": message.notice.title, "text": message.notice.text, "rows": list(message.notice.rows)}
    session.execute(
        "INSERT INTO flowyard_alert_messages (id, flow, target, at_ms, notice, ended) VALUES (?, ?, ?, ?, ?, '') "
        "ON CONFLICT (id) DO NOTHING",
        (message.id, column_text(flow), message.target, milliseconds(message.at), _valid(dump_json(notice))),
    )


def _forget_old(session: Session, flow: str, new: Sequence[Message]) -> None:
    """Delete messages that ended long before new ones; it is no work of looks that have none."""
    if new:
        before = milliseconds(min(each.at for each in new) - _KEPT)
        sql = "DELETE FROM flowyard_alert_messages WHERE flow = ? AND ended <> '' AND at_ms < ?"
        session.execute(sql, (column_text(flow), before))


def _message(id_: str, target: str, at_ms: int, notice: str) -> Message:
    found = json.loads(notice)
    rows = [(str(name), str(value)) for name, value in found["rows"]]
    return Message(id_, target, Notice(found["title"], found["text"], rows), moment(int(at_ms)))


def _valid(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "?")
