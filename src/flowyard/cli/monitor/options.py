"""What the commands of ``flowyard monitor`` have in common: which flow, and which time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flowyard._util.durations import parse_age
from flowyard._util.suggest import did_you_mean, known_names
from flowyard.cli.deploy.options import use_case_name
from flowyard.errors import NotFound, UserError
from flowyard.production.exchanges.series import Window

__all__ = ["flow_named", "parse_moment", "require_known", "window"]


def flow_named(use_case: str | None, flow: str | None) -> str:
    """The flow of a use case's folder, or the one that is named. Raises UserError unless there is exactly one."""
    if (use_case is None) == (flow is None):
        raise UserError("Name a use case's folder or a flow.", hint="flowyard monitor show USECASE, or --flow NAME")
    if flow is not None:
        return flow
    path = Path(str(use_case))
    if not path.exists():
        raise NotFound(f"There is no use case {path}.", hint="Name its folder, or a flow with --flow NAME.")
    return use_case_name(path)


def require_known(name: str, known: Sequence[str], what: str, option: str) -> str:
    """The name, if there are records of it. Raises NotFound with those that there are."""
    if name not in known:
        here = (
            f"Known: {known_names(known)}. Say {option} NAME." if known else "Collect: flowyard monitor collect FOLDER"
        )
        raise NotFound(f"There are no records of {what} {name!r}.", hint=did_you_mean(name, known) or here)
    return name


def window(since: str, until: str | None) -> Window:
    """From a time or so long ago, ``24h``, until another or now. Raises UserError."""
    now = datetime.now(UTC) + timedelta(milliseconds=1)  # what was written in this one belongs to it
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    found = Window(parse_moment(since, now, "--since"), parse_moment(until, now, "--until") if until else now)
    if found.until <= found.since:
        raise UserError("--until must be after --since.")
    return found


def parse_moment(text: str, now: datetime, option: str) -> datetime:
    """``24h`` before now, or a time by ISO 8601, in UTC where it names no zone. Raises UserError."""
    age = parse_age(text)
    try:
        if age is not None:
            return now - age
        moment = datetime.fromisoformat(text.strip())
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        hint = f"So long ago, as in {option} 24h (s, m, h, d, w), or a time: {option} 2026-03-01T10:00"
        raise UserError(f"{option} cannot be {text!r}.", hint=hint) from None
