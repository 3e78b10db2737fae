"""Two outcomes of one flow become one word and a reason."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from .sides import Outcome

__all__ = ["VERDICTS", "Verdict", "judge", "same"]

VERDICTS = (
    "equal",
    "both fail",
    "fail differently",
    "differ",
    "only promptflow",
    "only flowyard",
    "offline",
    "unstable",
)
"""In the order of the summary; ``offline`` is said of flows that lack a package or the network."""

_UNSTABLE_TEXT = (
    (re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"data:image/[\w.+*-]+;base64"), "data:image;base64"),
    (
        re.compile(r'{"image_url": {"url": "data:image;base64,([^"]*)"}, "type": "image_url"}'),
        r'{"data:image;base64": "\1"}',
    ),
    (re.compile(r"0x[0-9a-f]{6,}|\b1[34]\d{13}\b"), "<address>"),
)
_OFFLINE = (
    (re.compile(r"DefaultAzureCredential failed"), "needs a sign-in to Azure"),
    (re.compile(r"No module named '?\\?'?([A-Za-z0-9_]+)"), "needs package {}"),
    (re.compile(r"Package tool '([\w.]+)|(?:package )?tool '?([\w.]+)'? (?:is not found|needs)"), "needs the tool {}"),
    (re.compile(r"no network while flows are compared: ([\w.:-]+)"), "needs the network ({})"),
    (re.compile(r"\bNetwork is unreachable|Temporary failure in name resolution"), "needs the network"),
)
_PLACE = re.compile(r"^(?:Error: )?(?:<corpora>\S+ (?=is a )|[\w./-]+:\d+: )?|(?: \([\w./-]+:\d+\))$")


@dataclass(frozen=True)
class Verdict:
    """``word`` is one of VERDICTS; flows with the same ``reason`` are grouped."""

    word: str
    reason: str = ""


def judge(own: Outcome, peer: Outcome) -> Verdict:
    """Compare what both sides did."""
    if own.ran and peer.ran:
        differences = "; ".join(_differences(own, peer))
        return Verdict("differ", differences) if differences else Verdict("equal")
    offline = offline_reason(peer.error if not peer.ran else "") or offline_reason(own.error if not own.ran else "")
    if offline:
        return Verdict("offline", offline)
    if peer.ran:
        return Verdict("only promptflow", first_line(own.error))
    if own.ran:
        return Verdict("only flowyard", first_line(peer.error))
    if own.timed_out and peer.timed_out:
        return Verdict("both fail", "timed out")
    return _both_failed(own, peer)


def _both_failed(own: Outcome, peer: Outcome) -> Verdict:
    causes = [_cause(own), _cause(peer)]
    # promptflow does not say whether a line without a failed node was refused or lost its outputs.
    nodeless = not own.failed and not peer.failed and not own.timed_out and not peer.timed_out
    if causes[0] == causes[1] or nodeless or set(own.failed) & set(peer.failed):
        return Verdict("both fail", causes[0])
    return Verdict("fail differently", f"flowyard: {causes[0]}, promptflow: {causes[1]}")


def _cause(outcome: Outcome) -> str:
    if outcome.timed_out:
        return "timed out"
    if outcome.refused:
        return "refused before it ran"
    return f"fails in {', '.join(outcome.failed)}" if outcome.failed else "fails outside its nodes"


def _differences(own: Outcome, peer: Outcome) -> list[str]:
    found = [] if same(own.outputs, peer.outputs) else [_where_outputs_differ(own.outputs, peer.outputs)]
    if dict(own.metrics) != dict(peer.metrics):
        found.append(f"metrics {dict(own.metrics)} instead of {dict(peer.metrics)}")
    if set(own.failed) != set(peer.failed):
        found.append(f"failed {own.failed} instead of {peer.failed}")
    return found


def _where_outputs_differ(own: Any, peer: Any) -> str:
    if isinstance(own, dict) and isinstance(peer, dict):
        if own.keys() != peer.keys():
            return f"outputs {sorted(own)} instead of {sorted(peer)}"
        names = [name for name in own if not same(own[name], peer[name])]
        return f"output {', '.join(names)}: {_short(own[names[0]])} instead of {_short(peer[names[0]])}"
    return f"output {_short(own)} instead of {_short(peer)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:99]}…"


def same(one: Any, other: Any) -> bool:
    """Whether two outputs are equal but for ids made up on each run."""
    return _settled(one) == _settled(other)


def _settled(value: Any) -> str:
    text = json.dumps(_rounded(value), sort_keys=True, ensure_ascii=False)
    for pattern, word in _UNSTABLE_TEXT:
        text = pattern.sub(word, text)
    return text


def _rounded(value: Any) -> Any:
    """NaN and infinity as null, which is what they become in our JSON on purpose; other fractions to six digits.

    The openai package fetches embeddings as 32-bit numbers.
    """
    return json.loads(json.dumps(value), parse_constant=lambda _: None, parse_float=lambda text: f"{float(text):.6g}")


def offline_reason(text: str) -> str:
    """Which package or host is missing here; empty when the error is about something else."""
    for pattern, reason in _OFFLINE:
        found = pattern.search(text)
        if found:
            return reason.format(next((group for group in found.groups() if group), ""))
    return ""


def first_line(text: str) -> str:
    """The line of an error that says most: the first problem of a list, the message of an error record."""
    if text.startswith('{"message": '):
        text = str(json.JSONDecoder().raw_decode(text)[0]["message"])
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("Warning:")]
    if not lines:
        return "no message"
    told = lines[1] if "problem" in lines[0] and lines[0].endswith(":") and len(lines) > 1 else lines[0]
    return _PLACE.sub("", told)
