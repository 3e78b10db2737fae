"""What model calls will come to, estimated from the first rows before anything is paid for.

A prompt is rendered where its inputs are known; what a node of code will return is taken to be as long as what it is
given. Four characters count as one token, and an answer as long as ``max_tokens`` lets it be.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowyard._util.files import dump_json
from flowyard.errors import UserError
from flowyard.flows.model import DagFlow, FlexFlow, Flow, InputRef, Literal, Node, PromptyFlow, Value
from flowyard.llm.parameters import COMPLETION_TOKENS
from flowyard.llm.prices import Prices
from flowyard.llm.template import PromptFile, load_template, parse_template, render
from flowyard.runs.dataset import DataSource, iter_rows
from flowyard.runs.relations import SOURCES, read_mapping

__all__ = ["ASSUMED_ANSWER_TOKENS", "CallEstimate", "Estimator"]

ASSUMED_ANSWER_TOKENS = 256
"""How long an answer is taken to be when nothing limits it."""

_ROWS = 10
_CHARACTERS_A_TOKEN = 4
_TOKENS_AROUND_A_PROMPT = 8
_TOKENS_OF_INSTRUCTIONS = 400
_TOKENS_OF_A_GRADE = 100
_ASSUMED_OUTPUT = "x" * 200


@dataclass(frozen=True, slots=True)
class CallEstimate:
    """Model calls before retries, their tokens, and what they cost in US dollars without the ``unpriced_calls``.

    With ``has_code`` there is a flow whose own code may call models, too, which nobody can know beforehand.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    unpriced_calls: int = 0
    models: frozenset[str] = frozenset()
    unpriced_models: frozenset[str] = frozenset()
    has_code: bool = False

    @property
    def total_tokens(self) -> int:
        """Tokens of prompts and answers."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: CallEstimate) -> CallEstimate:
        return CallEstimate(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cost_usd + other.cost_usd,
            self.unpriced_calls + other.unpriced_calls,
            self.models | other.models,
            self.unpriced_models | other.unpriced_models,
            self.has_code or other.has_code,
        )


@dataclass(frozen=True, slots=True)
class _Call:
    """One kind of call, ``calls`` times in all: which model, and how long prompts and answers are on average."""

    calls: int
    deployment: str
    model: str
    prompt_tokens: float
    completion_tokens: int


@dataclass(slots=True)
class Estimator:
    """Estimates flows over data; rows and templates are read once."""

    prices: Prices
    _rows: dict[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    _templates: dict[Path, PromptFile] = field(default_factory=dict)

    def estimate(self, flow: Flow, data: DataSource, mapping: Mapping[str, Any], lines: int) -> CallEstimate:
        """What ``lines`` lines of a flow come to, by the first rows of the data. Raises UserError."""
        inputs = [_mapped(flow, mapping, row) for row in self._sample(data)] or [_mapped(flow, mapping, {})]
        calls: list[_Call] = []
        if isinstance(flow, PromptyFlow):
            calls = [self._prompty(flow, inputs, lines)]
        elif isinstance(flow, DagFlow):
            calls = self._nodes(flow, inputs, lines)
        total = sum(map(self._priced, calls), CallEstimate())
        return total + CallEstimate(has_code=isinstance(flow, FlexFlow) and flow.target is None)

    def estimate_judge(
        self, flow: Flow, model: str, data: DataSource, mapping: Mapping[str, Any], calls: int
    ) -> CallEstimate:
        """What ``calls`` calls of an evaluator's model come to: what is judged, its instructions and a short answer."""
        rows = [_mapped(flow, mapping, row) for row in self._sample(data)] or [{}]
        given = sum(len(_text(value)) for row in rows for value in row.values()) / len(rows)
        tokens = given / _CHARACTERS_A_TOKEN + _TOKENS_OF_INSTRUCTIONS
        return self._priced(_Call(calls, "", model, tokens, _TOKENS_OF_A_GRADE))

    def _sample(self, data: DataSource) -> Sequence[Mapping[str, Any]]:
        key = str(data)
        if key not in self._rows:
            self._rows[key] = [row.values for row in itertools.islice(iter_rows(data), _ROWS) if row.error is None]
        return self._rows[key]

    def _priced(self, call: _Call) -> CallEstimate:
        prompt, completion = math.ceil(call.calls * call.prompt_tokens), call.calls * call.completion_tokens
        price = self.prices.find(call.deployment or call.model, call.model)
        name = frozenset({call.deployment or call.model})
        if price is None:
            return CallEstimate(call.calls, prompt, completion, 0.0, call.calls, name, name)
        cost = price.cost_usd({"prompt_tokens": prompt, "completion_tokens": completion})
        return CallEstimate(call.calls, prompt, completion, cost, 0, name)

    def _prompty(self, flow: PromptyFlow, rows: Sequence[Mapping[str, Any]], lines: int) -> _Call:
        template = parse_template(flow.template, flow.file.name)
        tokens = [_prompt_tokens(template, row) for row in rows]
        deployment, model = (str(flow.configuration.get(key) or "") for key in ("azure_deployment", "model"))
        answer = _answer_tokens(flow.parameters, ASSUMED_ANSWER_TOKENS)
        return _Call(lines, deployment, str(flow.parameters.get("model") or model), sum(tokens) / len(tokens), answer)

    def _nodes(self, flow: DagFlow, rows: Sequence[Mapping[str, Any]], lines: int) -> list[_Call]:
        """The calls of each LLM node. One that aggregates is called once, with what all lines gave."""
        found: dict[str, list[float]] = {}
        asking = {node.name: node for node in flow.nodes if node.type == "llm"}
        if not asking:
            return []
        for row in rows:
            said: dict[str, str] = {}
            for node in flow.nodes:
                values = {name: _value(value, row, said) for name, value in node.inputs.items()}
                if node.name in asking:
                    tokens = self._node_tokens(flow, node, values, lines)
                    found.setdefault(node.name, []).append(tokens)
                said[node.name] = self._said(flow, node, values)
        return [_node_call(asking[name], tokens, lines) for name, tokens in found.items()]

    def _node_tokens(self, flow: DagFlow, node: Node, values: Mapping[str, Any], lines: int) -> float:
        template = self._template(flow, node)
        if not node.aggregation:
            return _prompt_tokens(template, values)
        given = sum(len(_text(value)) for name, value in values.items() if name in template.variables)
        return (len(template.text) + lines * given) / _CHARACTERS_A_TOKEN

    def _said(self, flow: DagFlow, node: Node, values: Mapping[str, Any]) -> str:
        """A stand-in for what a node returns."""
        if node.type == "prompt":
            return _rendered(self._template(flow, node), values)
        if node.type == "llm":
            return "x" * (_CHARACTERS_A_TOKEN * _answer_tokens(values, ASSUMED_ANSWER_TOKENS))
        return " ".join(map(_text, values.values()))

    def _template(self, flow: DagFlow, node: Node) -> PromptFile:
        path = flow.folder / str(node.source_path)
        if path not in self._templates:
            try:
                self._templates[path] = load_template(path)
            except (UserError, OSError, ValueError):  # told where the flow is prepared
                self._templates[path] = parse_template("", path.name)
        return self._templates[path]


def _node_call(node: Node, tokens: Sequence[float], lines: int) -> _Call:
    written = {name: value.value for name, value in node.inputs.items() if isinstance(value, Literal)}
    assumed = COMPLETION_TOKENS if node.api == "completion" else ASSUMED_ANSWER_TOKENS
    deployment, model = (str(written.get(key) or "") for key in ("deployment_name", "model"))
    calls = 1 if node.aggregation else lines
    return _Call(calls, deployment, model, sum(tokens) / len(tokens), _answer_tokens(written, assumed))


def _mapped(flow: Flow, mapping: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of one line; outputs of a run that is yet to be made are of an assumed length."""
    relations = read_mapping(flow, mapping, SOURCES)
    values = {name: declared.default for name, declared in flow.inputs.items()} | dict(relations.literals)
    for name, column in relations.columns.items():
        values[name] = (
            _ASSUMED_OUTPUT
            if column.source.startswith("run.") and column.source != "run.inputs"
            else row.get(column.name, "")
        )
    return values


def _value(value: Value, row: Mapping[str, Any], said: Mapping[str, str]) -> Any:
    if isinstance(value, Literal):
        return value.value
    return row.get(value.name) if isinstance(value, InputRef) else said.get(value.node, _ASSUMED_OUTPUT)


def _prompt_tokens(template: PromptFile, values: Mapping[str, Any]) -> float:
    return len(_rendered(template, values)) / _CHARACTERS_A_TOKEN + _TOKENS_AROUND_A_PROMPT


def _rendered(template: PromptFile, values: Mapping[str, Any]) -> str:
    """The prompt; where a stand-in does not fit into it, all of its parts one after the other."""
    try:
        return render(template, dict(values))
    except Exception:  # a template can do anything with its values
        return template.text + " ".join(_text(values[name]) for name in sorted(template.variables & values.keys()))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else dump_json(value)


def _answer_tokens(parameters: Mapping[str, Any], assumed: int) -> int:
    limits = [parameters.get(name) for name in ("max_completion_tokens", "max_tokens")]
    return next((limit for limit in limits if type(limit) is int and limit > 0), assumed)
