"""Sending the messages that were written down. One may be sent again after a kill; none is forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flowyard._util.aio import run_blocking
from flowyard.errors import FlowyardError
from flowyard.notify.open import open_notifier
from flowyard.production.alerts.tables import Message, message_ended, waiting_messages
from flowyard.production.store.store import ProductionStore

__all__ = ["Told", "tell_waiting"]

_GIVEN_UP = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a message: sent, or why not: a sentence without secrets."""

    message: Message
    problem: str | None = None
    hint: str = ""


def tell_waiting(store: ProductionStore, flow: str, environ: Mapping[str, str], now: datetime) -> Sequence[Told]:
    """Send each message of a flow that was not sent, the oldest first, and note that it was.

    A target that fails is not asked again in this look; its messages wait for the next one, and are given up after a
    day. Raises StoreError only.
    """
    told: list[Told] = []
    failed: set[str] = set()
    for message in waiting_messages(store, flow):
        if message.target in failed:
            continue
        problem = _send(message, environ)
        told.append(problem)
        if problem.problem is None:
            message_ended(store, message, "sent", now)
            continue
        failed.add(message.target)
        if now - message.at > _GIVEN_UP:
            message_ended(store, message, "given up", now)
    return told


def _send(message: Message, environ: Mapping[str, str]) -> Told:
    try:
        run_blocking(open_notifier(message.target, environ).send(message.notice))
    except FlowyardError as error:
        return Told(message, error.message, "It is tried again with the next look.")
    except Exception as error:  # what the error says may be a secret
        return Told(message, f"This is a bug of flowyard: {type(error).__name__}.")
    return Told(message)
