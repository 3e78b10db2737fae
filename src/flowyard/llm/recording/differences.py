"""Saying how a call that was not recorded differs from the nearest one that was."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator
from itertools import islice, zip_longest
from typing import Any

from flowyard.llm.recording.recorded_call import Asked, RecordedCall

__all__ = ["describe_nearest"]

_COMPARED = 200
_READ_LENGTH = 4000
_SHOWN = 3
_AROUND = 24
_ABSENT = object()


def describe_nearest(asked: Asked, node: str | None, calls: Iterable[RecordedCall]) -> str:
    """A sentence on the recorded call that is most like this one, and what differs."""
    nearest = _nearest(asked, node, list(calls))
    if nearest is None:
        return "Nothing is recorded there."
    where = [f"node {nearest.node!r}"] if nearest.node else []
    where += [f"line {nearest.line}"] if nearest.line is not None else []
    found = list(islice(_differences("", _as_json(nearest.asked), _as_json(asked)), _SHOWN + 1))
    more = "; and more" if len(found) > _SHOWN else ""
    return f"Nearest recorded call ({', '.join(where) or 'outside of nodes'}): {'; '.join(found[:_SHOWN])}{more}."


def _nearest(asked: Asked, node: str | None, calls: list[RecordedCall]) -> RecordedCall | None:
    """Of the calls of the same node if there are any, else of the same model, else of all: the most similar text."""
    for group in (
        [call for call in calls if call.node == node and node is not None],
        [call for call in calls if call.asked.model == asked.model],
        calls,
    ):
        if group:
            text = _text(asked)
            matcher = difflib.SequenceMatcher(autojunk=False)
            matcher.set_seq2(text)
            return max(group[:_COMPARED], key=lambda call: _likeness(matcher, _text(call.asked)))
    return None


def _likeness(matcher: difflib.SequenceMatcher[str], text: str) -> float:
    matcher.set_seq1(text)
    return matcher.quick_ratio()


def _text(asked: Asked) -> str:
    return json.dumps(_as_json(asked), ensure_ascii=False)[:_READ_LENGTH]


def _as_json(asked: Asked) -> dict[str, Any]:
    inner = asked.to_json()
    request = inner.pop("request")
    return {**inner, **request}


def _differences(path: str, recorded: Any, now: Any) -> Iterator[str]:
    """What differs, deepest names first found: ``messages[1].content was '…', now '…'``."""
    if isinstance(recorded, dict) and isinstance(now, dict):
        for name in dict.fromkeys([*recorded, *now]):
            yield from _differences(
                f"{path}.{name}" if path else str(name), recorded.get(name, _ABSENT), now.get(name, _ABSENT)
            )
    elif isinstance(recorded, list) and isinstance(now, list):
        for index, (one, other) in enumerate(zip_longest(recorded, now, fillvalue=_ABSENT)):
            yield from _differences(f"{path}[{index}]", one, other)
    elif recorded is _ABSENT:
        yield f"{path} was not there, now {_shown(now, 0)}"
    elif now is _ABSENT:
        yield f"{path} was {_shown(recorded, 0)}, now is not there"
    elif recorded != now:
        start = _first_difference(recorded, now)
        yield f"{path} was {_shown(recorded, start)}, now {_shown(now, start)}"


def _first_difference(one: Any, other: Any) -> int:
    if not isinstance(one, str) or not isinstance(other, str):
        return 0
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (left, right) in pairs if left != right), min(len(one), len(other)))


def _shown(value: Any, around: int) -> str:
    """The value, cut to what lies around a place in its text."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    start, end = max(0, around - _AROUND), around + 2 * _AROUND
    cut = f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"
    return repr(cut) if isinstance(value, str) else cut
