"""The simulated model itself: from a request to an answer, without any input or output."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowyard.simulation.answers import find_row
from flowyard.simulation.draws import content_key, draw, draw_latency_s, draw_unit_vector
from flowyard.simulation.questions import (
    BadRequest,
    Operation,
    Question,
    choice_count,
    embedding_inputs,
    read_questions,
)
from flowyard.simulation.rules import Faults, Latency, Rule, Rules
from flowyard.simulation.templates import Expression, TemplateFailed, render_values
from flowyard.simulation.wire import (
    HEADERS,
    Answer,
    Choice,
    chat_body,
    completion_body,
    count_tokens,
    embedding_body,
    error_body,
)

__all__ = ["Simulator"]

_EMBEDDINGS = "embeddings"
_PROMPT_SHOWN = 200


@dataclass(frozen=True, slots=True)
class _Match:
    """The rule for one question, with what its expressions and the tables of answers found."""

    question: Question
    rule: Rule
    groups: Mapping[str, str]
    row: Mapping[str, Any] | None


class Simulator:
    """A model that answers by rules. Safe to use from many threads.

    The same rules, seed and request give the same answer, whatever was asked before or at the same time; only a fault
    is drawn anew each time that it hit the same request, so that a retry can succeed.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._lock = threading.Lock()
        self._failed: Counter[str] = Counter()
        self._by_rule: Counter[str] = Counter()
        self._calls = 0
        self._faults = 0

    @property
    def rules(self) -> Rules:
        return self._rules

    def answer(self, operation: Operation, body: Mapping[str, Any]) -> Answer:
        """The answer to one request body (with ``model``); what cannot be answered is an answer with status 400."""
        with self._lock:
            self._calls += 1
        try:
            if operation == "embedding":
                return self._embed(body)
            return self._reply(operation, body)
        except BadRequest as error:
            return Answer(400, error_body(str(error), "invalid_request_error", param=error.param, code=error.code))
        except TemplateFailed as error:
            return Answer(400, error_body(str(error), "invalid_request_error", code="simulation_rule_failed"))

    def stats(self) -> dict[str, Any]:
        """``{"calls": n, "by_rule": {name: n}, "faults": n}`` since the start or the last reset."""
        with self._lock:
            return {"calls": self._calls, "by_rule": dict(self._by_rule), "faults": self._faults}

    def reset_stats(self) -> None:
        """Count from zero again; which faults a request already had is not forgotten."""
        with self._lock:
            self._calls = self._faults = 0
            self._by_rule.clear()

    def _reply(self, operation: Operation, body: Mapping[str, Any]) -> Answer:
        count = choice_count(body)
        matches = [self._match(question) for question in read_questions(operation, body)]
        key = content_key(operation, body)
        choices = [self._choice(key, match, number, at) for at, match in enumerate(matches) for number in range(count)]
        usage = _usage(matches, choices)
        model = matches[0].question.model
        if operation == "chat":
            legacy = bool(body.get("functions")) and not body.get("tools")
            reply = chat_body(key, model, choices, usage, legacy)
        else:
            reply = completion_body(key, model, [choice.text or "" for choice in choices], usage)
        rule = matches[0].rule
        return self._deliver(rule.name, key, reply, rule.latency, rule.faults)

    def _embed(self, body: Mapping[str, Any]) -> Answer:
        inputs = embedding_inputs(body)
        dimensions = body.get("dimensions") or 1536
        if isinstance(dimensions, bool) or not isinstance(dimensions, int) or not 1 <= dimensions <= 8192:
            raise BadRequest("'dimensions' must be a whole number from 1 to 8192.", "dimensions")
        model = str(body.get("model") or "simulated")
        vectors = [draw_unit_vector(dimensions, self._rules.seed, model, text) for text in inputs]
        tokens = sum(count_tokens(text) if isinstance(text, str) else len(text) for text in inputs)
        reply = embedding_body(model, vectors, tokens, str(body.get("encoding_format") or "float"))
        return self._deliver(_EMBEDDINGS, content_key("embedding", body), reply, None, None)

    def _match(self, question: Question) -> _Match:
        row = find_row(self._rules.tables, (question.last, question.prompt))
        for rule in self._rules.rules:
            if rule.tool_calls and (question.after_tool or not question.takes_tools):
                continue
            groups = _found_groups(rule, question)
            if groups is not None and (row is not None or not rule.known):
                return _Match(question, rule, groups, row)
        start = question.prompt[:_PROMPT_SHOWN]
        message = f"No simulation rule matched this request. The prompt starts: {start!r}"
        raise BadRequest(message, "messages" if question.takes_tools else "prompt", "no_simulation_rule")

    def _choice(self, key: str, match: _Match, number: int, at: int) -> Choice:
        rule = match.rule
        reasons = (self._rules.seed, rule.name, key, at, number)
        variables = _variables(match, reasons)
        try:
            if rule.wrong is not None and draw(*reasons, "wrong") < _rate(rule.error_rate, variables):
                return Choice(_pick(rule.wrong, *reasons, "which wrong").render(variables))
            if rule.tool_calls:
                calls = [(call.name, render_values(call.arguments, variables)) for call in rule.tool_calls]
                return Choice(None, calls)
            return Choice(_pick(rule.reply, *reasons, "which reply").render(variables))
        except TemplateFailed as error:
            raise TemplateFailed(f"Simulation rule {rule.name!r} failed in {error}") from error

    def _deliver(
        self, rule: str, key: str, reply: dict[str, Any], latency: Latency | None, faults: Faults | None
    ) -> Answer:
        latency, faults = latency or self._rules.latency, faults or self._rules.faults
        with self._lock:
            attempt = self._failed[key]
            fault = _drawn_fault(faults, draw(self._rules.seed, rule, key, "fault", attempt))
            self._by_rule[rule] += 1
            if fault:
                self._failed[key] += 1
                self._faults += 1
        p95_ms = latency.median_ms if latency.p95_ms is None else latency.p95_ms
        latency_s = draw_latency_s(latency.median_ms, p95_ms, self._rules.seed, rule, key, "latency", attempt)
        if fault == 429:
            return _rate_limited(faults.retry_after_s, latency_s)
        if fault == 500:
            failed = error_body("The simulated model failed on purpose.", "server_error", code="simulated_fault")
            return Answer(500, failed, dict(HEADERS), latency_s)
        return Answer(200, reply, dict(HEADERS), latency_s, cut_off=fault is not None)


def _found_groups(rule: Rule, question: Question) -> dict[str, str] | None:
    groups: dict[str, str] = {}
    for name, pattern in rule.when.patterns():
        found = pattern.search(getattr(question, name))
        if found is None:
            return None
        groups.update(found.groupdict(default=""))
    return groups


def _variables(match: _Match, reasons: tuple[object, ...]) -> dict[str, Any]:
    picks = iter(range(1_000_000))
    question = match.question
    return {
        "prompt": question.prompt,
        "system": question.system,
        "user": question.user,
        "model": question.model,
        "request": question.request,
        "match": match.groups,
        "row": match.row,
        "number": draw(*reasons, "number"),
        "pick": lambda items: _pick(list(items), *reasons, "pick", next(picks)),
    }


def _pick(items: list[Any], *reasons: object) -> Any:
    if not items:
        raise TemplateFailed("pick: the list is empty")
    return items[int(draw(*reasons) * len(items))]


def _rate(rate: float | Expression, variables: Mapping[str, Any]) -> float:
    return rate.number(variables) if isinstance(rate, Expression) else rate


def _drawn_fault(faults: Faults, drawn: float) -> int | str | None:
    shares = ((429, faults.rate_429), (500, faults.rate_500), ("cut off", faults.rate_cut_off))
    for fault, share in shares:
        if drawn < share:
            return fault
        drawn -= share
    return None


def _rate_limited(retry_after_s: float, latency_s: float) -> Answer:
    message = f"Rate limit reached (simulated). Try again in {retry_after_s:g} seconds."
    headers = {**HEADERS, "retry-after": f"{retry_after_s:g}", "retry-after-ms": f"{retry_after_s * 1000:g}"}
    return Answer(429, error_body(message, "requests", code="rate_limit_exceeded"), headers, latency_s)


def _usage(matches: list[_Match], choices: list[Choice]) -> tuple[int, int]:
    per_match = len(choices) // len(matches)
    prompt = completion = 0
    for index, match in enumerate(matches):
        tokens = match.rule.tokens
        prompt += count_tokens(match.question.prompt) if tokens.prompt is None else tokens.prompt
        for choice in choices[index * per_match : (index + 1) * per_match]:
            completion += _spoken_tokens(choice) if tokens.completion is None else tokens.completion
    return prompt, completion


def _spoken_tokens(choice: Choice) -> int:
    return count_tokens(choice.text or "".join(f"{name}{dict(arguments)}" for name, arguments in choice.tools))
