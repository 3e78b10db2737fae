"""Every line of a dataset, packed into blocks that the page carries and its script unpacks as a reader needs them.

A block is JSON, compressed with zlib and written in base64, so that no letter of it can end the element it is in. The
lines come in chunks: opening the page unpacks none of them, and scrolling a few. What each node did is in blocks of its
own, because it is long and read for one line at a time.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flowyard._util.files import dump_json
from flowyard.records import ErrorRecord, LineResult, NodeResult
from flowyard.reports.line_scores import LineScores
from flowyard.reports.lines import LineRow, VariantLine
from flowyard.reports.values import same_value, value_text

__all__ = ["Block", "LineBlocks", "packed"]

_MOST_LINES, _MOST_LETTERS_OF_CHUNK = 100, 600_000
_MOST_LETTERS = 10_000
"""Longer values are cut in the page, which says so; the tables and the run's folder have all of them."""


@dataclass(frozen=True, slots=True)
class Block:
    """One packed value with the name that the page's script knows it by."""

    name: str
    text: str


def packed(value: Any) -> str:
    """JSON, compressed, in base64; what UTF-8 cannot hold is written as an escape."""
    text = dump_json(value).encode("utf-8", "backslashreplace")
    return base64.b64encode(zlib.compress(text, 6)).decode()


@dataclass(slots=True)
class LineBlocks:
    """Takes lines in their order, and gives blocks named ``d<index>`` (what there is to find), ``d<index>-l<chunk>``
    (the lines) and ``d<index>-t<chunk>`` (what their nodes did). Holds packed text and a few numbers for each line.
    """

    index: int
    versions: Sequence[str]
    blocks: list[Block] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    states: list[list[str]] = field(default_factory=list)
    kinds: list[list[int]] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    _lines: list[Any] = field(default_factory=list)
    _traces: list[Any] = field(default_factory=list)
    _letters: int = 0

    def __post_init__(self) -> None:
        self.states = [[] for _ in self.versions]
        self.kinds = [[] for _ in self.versions]

    def add(self, line: LineRow) -> None:
        """Take the next line."""
        if not self._lines:
            self.starts.append(len(self.numbers))
        self.numbers.append(line.line_number)
        for place, (cell, kind) in enumerate(zip(line.cells, _kinds(line), strict=True)):
            self.states[place].append(_state(cell))
            self.kinds[place].append(kind)
        shown = _line(line)
        self._lines.append(shown)
        self._traces.append([_trace(cell) for cell in line.cells])
        self._letters += _size(shown)
        if len(self._lines) >= _MOST_LINES or self._letters > _MOST_LETTERS_OF_CHUNK:
            self._flush()

    def finish(self, dataset: str, scores: Sequence[LineScores], colours: Sequence[int]) -> tuple[Block, ...]:
        """All blocks, the one that says what there is to find first."""
        self._flush()
        found = {
            "dataset": dataset,
            "versions": list(self.versions),
            "colours": list(colours),
            "numbers": self.numbers,
            "states": ["".join(states) for states in self.states],
            "kinds": self.kinds,
            "starts": self.starts,
            "metrics": [_score(score, self.numbers) for score in scores],
        }
        return (Block(f"d{self.index}", packed(found)), *self.blocks)

    def _flush(self) -> None:
        if self._lines:
            chunk = len(self.starts) - 1
            self.blocks.append(Block(f"d{self.index}-l{chunk}", packed(self._lines)))
            self.blocks.append(Block(f"d{self.index}-t{chunk}", packed(self._traces)))
        self._lines, self._traces, self._letters = [], [], 0


def _score(score: LineScores, numbers: Sequence[int]) -> Mapping[str, Any]:
    columns = [[_rounded(values.get(number)) for number in numbers] for values in score.values]  # never NaN
    return {"name": score.name, "higher": score.higher_is_better, "values": columns}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _state(cell: VariantLine) -> str:
    """``c`` completed, ``f`` failed, ``e`` completed but an evaluator failed, ``n`` not run."""
    if cell.line is None:
        return "n"
    if cell.line.status == "failed":
        return "f"
    return "e" if cell.failed else "c"


def _kinds(line: LineRow) -> list[int]:
    """The same number for versions that gave the same outputs for this line."""
    seen: list[Any] = []
    found = []
    for cell in line.cells:
        own = (cell.line.status, dict(cell.line.outputs)) if cell.line else None
        place = next((place for place, other in enumerate(seen) if same_value(other, own)), len(seen))
        if place == len(seen):
            seen.append(own)
        found.append(place)
    return found


def _line(line: LineRow) -> list[Any]:
    """``[shared inputs or null, [a cell for each version, null where it was not run]]``."""
    inputs = [cell.line.inputs for cell in line.cells if cell.line is not None]
    shared = bool(inputs) and all(same_value(inputs[0], other) for other in inputs[1:])
    return [_fields(inputs[0]) if shared else None, [_cell(cell, own_inputs=not shared) for cell in line.cells]]


def _cell(cell: VariantLine, *, own_inputs: bool) -> list[Any] | None:
    """``[inputs, outputs, error, milliseconds, tokens, dollars, [[evaluator, outputs, error], …]]``."""
    line = cell.line
    scores = [[name, _fields(each.outputs), _error(each)] for name, each in cell.evaluations.items()]
    if line is None:
        return [None, [], None, None, 0, 0, scores] if scores else None
    inputs = _fields(line.inputs) if own_inputs else None
    used = line.usage
    cost = round(used.cost_usd, 8)
    return [
        inputs, _fields(line.outputs), _error(line), round(line.duration_s * 1000, 2), used.total_tokens, cost, scores
    ]  # fmt: skip


def _trace(cell: VariantLine) -> list[Any]:
    """The version's nodes, then those of evaluators that asked a model: ``[[evaluator or "", [node, …]], …]``."""
    own = [["", [_node(node) for node in cell.line.nodes]]] if cell.line is not None and cell.line.nodes else []
    judges = [(name, line.nodes) for name, line in cell.evaluations.items() if any(each.prompts for each in line.nodes)]
    return own + [[name, [_node(node) for node in nodes]] for name, nodes in judges]


def _node(node: NodeResult) -> list[Any]:
    """``[name, status, output, error, milliseconds, tokens, answers kept from before, prompts]``."""
    output = _shortened(value_text(node.output)) if node.status == "completed" else None
    error = _error_parts(node.error) if node.error else None
    used, spent_ms = node.usage, round(node.duration_s * 1000, 2)
    prompts = [_shortened(prompt) for prompt in node.prompts]
    return [node.node, node.status, output, error, spent_ms, used.total_tokens, used.cached_calls, prompts]


def _fields(values: Mapping[str, Any]) -> list[list[str]]:
    return [[str(name), _shortened(value_text(value))] for name, value in values.items()]


def _shortened(text: str) -> str:
    left = len(text) - _MOST_LETTERS
    return text if left <= 0 else f"{text[:_MOST_LETTERS]}… {left:,} more characters"


def _error(line: LineResult) -> list[Any] | None:
    if line.status != "failed":
        return None
    return _error_parts(line.error or ErrorRecord("Failed", "No error was stored with the line."))


def _error_parts(error: ErrorRecord) -> list[Any]:
    return [error.type, error.message[:2000], error.node, error.where]


def _size(line: list[Any]) -> int:
    return sum(len(text) for text in _texts(line))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
