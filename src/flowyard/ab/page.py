"""A test of two versions as one page that needs nothing else: the decision, what it rests on, and how it came about.

Names and reasons come from files and records of others; Jinja and Markup escape them, and the page's policy allows its
own style sheet only.
"""

from __future__ import annotations

from datetime import datetime

from flowyard import __version__
from flowyard._util.moments import moment_text
from flowyard._util.numbers import percent_text
from flowyard.ab.decision.decide import Decision, DecisionState
from flowyard.ab.decision.history import guardrail_points, known_over_time
from flowyard.ab.evidence.model import Evidence
from flowyard.ab.forecast.forecast import Forecast
from flowyard.ab.policy.model import AbPolicy, Guardrail
from flowyard.ab.run import Tick
from flowyard.reports.charts import Chart
from flowyard.reports.page import content_policy, page_environment, read_asset, valid_text
from flowyard.reports.time_chart import Line, Moment, time_chart
from flowyard.reports.values import metric_text, p_text, signed_text

__all__ = ["METHODS", "render_ab_page"]

METHODS = {
    "exact_counts": "exact test of counts",
    "bounded_scores": "betting on bounded scores",
    "means": "confidence sequence of means",
    "adjusted_means": "confidence sequence of means, less what the covariate explains",
}
"""What people are told of each method."""

_SIGNS = {
    DecisionState.PROMOTE: ("pass", "✓", "Promote"),
    DecisionState.ROLLBACK: ("fail", "✕", "Roll back"),
    DecisionState.INVALID: ("fail", "✕", "Invalid"),
    DecisionState.NEEDS_HUMAN: ("inconclusive", "?", "A person has to decide"),
    DecisionState.CONTINUE: ("inconclusive", "…", "Go on"),
}
_UNITS = {"error_rate": "Share of looks", "safety_fail_rate": "Share of looks", "latency_p95_ms": "ms"}
_CONTROL, _TREATMENT = 0, 1


def render_ab_page(policy: AbPolicy, tick: Tick, evidence: Evidence, expected: Forecast, made_at: datetime) -> str:
    """The page's whole text."""
    environment = page_environment()
    environment.filters |= {"signed": signed_text, "p_text": p_text, "at": moment_text}
    style = read_asset(environment, "report.css") + read_asset(environment, "ab.css")
    verdict, sign, answer = _SIGNS[tick.decision.state]
    page = environment.get_template("ab.html.j2").render(
        policy=policy,
        decision=tick.decision,
        ramp=tick.ramp,
        expected=expected,
        method=METHODS[tick.decision.primary.method],
        verdict=verdict,
        sign=sign,
        answer=answer,
        charts=[chart for chart in _charts(policy, tick.decision, evidence) if chart],
        made_at=made_at,
        style=style,
        content_policy=content_policy(style, ""),
        version=__version__,
    )
    return valid_text(page)


def _charts(policy: AbPolicy, decision: Decision, evidence: Evidence) -> list[Chart | None]:
    return [
        _effect(policy, evidence),
        _shares(decision, evidence, policy),
        *(_guardrail(policy, evidence, each) for each in policy.guardrails),
    ]


def _effect(policy: AbPolicy, evidence: Evidence) -> Chart | None:
    known = [(each.at, each.primary) for each in known_over_time(policy, evidence)]
    moments = [
        Moment(at, primary.difference, *(primary.interval or (None, None)))
        for at, primary in known
        if primary.difference is not None
    ]
    line = Line(f"{policy.treatment} less {policy.control}", _TREATMENT, moments)
    held = percent_text(1 - policy.alpha, 2).replace(" ", "\N{NO-BREAK SPACE}")
    note = f"Of {policy.primary.label}; the band holds the true difference at all times with {held}."
    limits = [("smallest worth finding", policy.primary.smallest)] if policy.primary.smallest else []
    sign = 1 if policy.primary.direction == "higher" else -1
    return time_chart("Effect over time", note, [line], [(name, sign * value) for name, value in limits])


def _shares(decision: Decision, evidence: Evidence, policy: AbPolicy) -> Chart | None:
    wanted = [Moment(each.at, each.share) for each in decision.epochs]
    if wanted and evidence.last_at and evidence.last_at > wanted[-1].at:
        wanted.append(Moment(evidence.last_at, wanted[-1].value))
    seen = [Moment(each.at, each.share) for each in known_over_time(policy, evidence) if each.share is not None]
    lines = [
        Line(f"split: {policy.treatment}", _CONTROL, wanted, stays=True),
        Line(f"new {policy.unit}s of {policy.treatment}", _TREATMENT, seen),
    ]
    return time_chart("Share of the treatment", "As it was set, and as units were seen for the first time.", lines)


def _guardrail(policy: AbPolicy, evidence: Evidence, guardrail: Guardrail) -> Chart | None:
    points = guardrail_points(policy, evidence, guardrail)
    lines = [
        Line(policy.control, _CONTROL, [Moment(p.at, p.control) for p in points if p.control is not None]),
        Line(policy.treatment, _TREATMENT, [Moment(p.at, p.treatment) for p in points if p.treatment is not None]),
    ]
    limits = [(f"most {metric_text(guardrail.most)}", guardrail.most)] if guardrail.most is not None else []
    relative = f" At most {guardrail.most_times_control:g} times the control's." if guardrail.most_times_control else ""
    unit = _UNITS.get(guardrail.metric, "USD")
    return time_chart(f"Guardrail {guardrail.metric}", f"{unit}, each span by itself.{relative}", lines, limits)
