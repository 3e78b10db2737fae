"""Reading the sentence of a rule: ``latency_s.p95 > 3 over 10m for 5m``."""

from __future__ import annotations

import math
import re
from datetime import timedelta

from flowyard._util.durations import parse_duration
from flowyard._util.suggest import did_you_mean
from flowyard.production.alerts.model import METRICS, Comparison, Condition

__all__ = ["CONDITION_FORM", "parse_condition"]

CONDITION_FORM = "METRIC > NUMBER [over 10m] [for 5m]; or <, rises, drops [against 1d]; or drift[.FEATURE]"

_SENTENCE = re.compile(
    r"(?P<metric>[A-Za-z0-9_.\-]+)(?:\s*(?P<comparison>>|<|rises|drops)\s*(?P<limit>[-+0-9.eE]+))?(?P<rest>(?:\s+\S+)*)"
)
_WORDS = ("over", "for", "against")
_JUDGE = re.compile(r"judge(\.[^.\s]+){2,}")
_DRIFT = re.compile(r"drift(\.[^.\s]+)*")
_COMPARISONS: dict[str, Comparison] = {">": ">", "<": "<", "rises": "rises", "drops": "drops"}


def parse_condition(text: str) -> Condition:
    """The condition of a sentence. Raises ValueError with what is wrong."""
    found = _SENTENCE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"write {CONDITION_FORM}")
    times = _times(found["rest"].split())
    metric = found["metric"]
    window = times.get("over", timedelta(minutes=10))
    lasting, against = times.get("for", timedelta(0)), times.get("against")
    if _DRIFT.fullmatch(metric):
        if found["comparison"] or against:
            raise ValueError("drift takes no number; the block 'drift' says what is much and what is normal")
        return Condition(metric, "drifts", window=window, lasting=lasting)
    if metric not in METRICS and not _JUDGE.fullmatch(metric):
        others = "judge.EVALUATOR.SCORE, drift"
        known = did_you_mean(metric, (*METRICS, "drift")) or f"Known: {', '.join(METRICS)}, {others}."
        raise ValueError(f"there is no metric {metric!r}. {known.removesuffix('.')}")
    if not found["comparison"]:
        raise ValueError(f"{metric} needs a number: {metric} > 0.05")
    comparison = _COMPARISONS[found["comparison"]]
    if against and comparison not in ("rises", "drops"):
        raise ValueError("only what rises or drops is against another time")
    return Condition(metric, comparison, _limit(found["limit"]), window, lasting, against)


def _limit(text: str) -> float:
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not math.isfinite(limit) or limit < 0:
        raise ValueError(f"{text!r} is no number from 0")
    return limit


def _times(words: list[str]) -> dict[str, timedelta]:
    found: dict[str, timedelta] = {}
    for word, value in zip(words[::2], [*words[1::2], ""], strict=False):
        if word not in _WORDS or word in found:
            raise ValueError(f"{word!r} does not go there: write {CONDITION_FORM}")
        found[word] = parse_duration(value)
    return found
