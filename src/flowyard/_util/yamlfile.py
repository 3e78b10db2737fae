"""YAML 1.2 files with the line of every value."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from flowyard._util.suggest import missing_file_hint
from flowyard.errors import Problem, UserError

__all__ = ["RepeatedKey", "YamlFile", "parse_yaml", "read_yaml"]

Path_ = tuple[str | int, ...]

_DEEPEST = 100
_MOST_BY_ALIASES, _MOST_TIMES = 10_000, 10
"""Aliases may make so many values of what is written, and so many times as many: a few lines can mean billions."""


class RepeatedKey(NamedTuple):
    """A key that one mapping has twice. The value of the ``first`` line counts; lines are 1-based."""

    key: str
    first: int
    line: int


@dataclass(frozen=True, slots=True)
class YamlFile:
    """Parsed YAML: ``data`` plain Python values, ``lines`` the 1-based line of each key path's key.

    ``repeated`` are keys that are there twice, in the order of the file.
    """

    path: Path
    data: Any
    lines: dict[Path_, int] = field(repr=False)
    repeated: tuple[RepeatedKey, ...] = ()

    def where(self, *keys: str | int) -> str:
        """``file:line`` of the deepest known part of a key path."""
        return f"{self.path.name}:{self.line(keys)}"

    def repeated_problems(self) -> list[Problem]:
        """What is wrong with each repeated key, with both places."""
        name = self.path.name
        return [
            Problem(f"{key!r} is given twice: in {name}:{first} and here.", f"{name}:{line}", "Remove one of them.")
            for key, first, line in self.repeated
        ]

    def unusable(self, problems: Sequence[Problem]) -> UserError:
        """The error that says all that is wrong in this file, in the order of its lines."""
        listed = sorted(problems, key=lambda each: _line_of(each.where))
        return UserError("\n".join([f"{self.path} cannot be used:", *(f"  {each}" for each in listed)]))

    def repeated_warnings(self) -> list[str]:
        """The same for files that are used all the same: the first value counts."""
        name = self.path.name
        return [
            f"{name}:{line}: {key!r} is given twice, in {name}:{first} and here; the first one counts."
            for key, first, line in self.repeated
        ]

    def line(self, keys: Sequence[str | int]) -> int:
        for end in range(len(keys), -1, -1):
            found = self.lines.get(tuple(keys[:end]))
            if found is not None:
                return found
        return 1


def _line_of(where: str | None) -> int:
    """The line in ``file:line``; what has none goes last."""
    line = (where or "").rpartition(":")[2]
    return int(line) if line.isdecimal() else sys.maxsize


def read_yaml(path: Path) -> YamlFile:
    """Read one YAML file. Raises UserError with file:line when it is missing, not UTF-8 or not YAML."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"File not found: {path}", hint=missing_file_hint(path)) from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error.reason} at byte {error.start}).") from None
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from None
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path) -> YamlFile:
    """Parse YAML text that came from ``path``; an empty text gives None."""
    data, lines, repeated = _parsed(text, path)
    return YamlFile(path, copy.deepcopy(data), lines, repeated)  # what a caller changes is its own


@lru_cache(maxsize=64)  # an experiment reads the same flow once for each of its versions
def _parsed(text: str, path: Path) -> tuple[Any, dict[Path_, int], tuple[RepeatedKey, ...]]:
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True
    yaml.Composer = _Composer
    try:
        node = yaml.compose(text)
        _require_few_aliases(node)
        repeated = sorted(_repeated(node), key=lambda each: each.line)  # before merged mappings are put together
        data = None if node is None else yaml.constructor.construct_document(node)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problem = " ".join(str(part) for part in (error.problem, error.context) if part)
        raise UserError(f"Not valid YAML: {problem}.", where=f"{path}:{line}:{column}") from None
    except (YAMLError, ValueError) as error:
        raise UserError(f"Not valid YAML: {error}.", where=str(path)) from None
    lines: dict[Path_, int] = {}
    if node is not None:
        _collect_lines(node, (), lines)
    return data, lines, tuple(repeated)


class _Composer(Composer):
    """Stops at what is nested too deeply, before the rest of it is looked at."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.depth >= _DEEPEST:
            mark = self.parser.peek_event().start_mark
            raise MarkedYAMLError(problem=f"more than {_DEEPEST} values are nested into each other", problem_mark=mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def _require_few_aliases(root: Node | None) -> None:
    """Raises MarkedYAMLError for aliases that stand for too much, or for what they are in themselves."""
    sizes: dict[int, int] = {}

    def size(node: Node) -> int:
        known = sizes.get(id(node))
        if known is None:
            sizes[id(node)] = 0  # while it is counted; an alias of it finds that
            known = sizes[id(node)] = 1 + sum(map(size, _inside(node)))
        elif not known:
            raise MarkedYAMLError(problem="an alias stands in what it stands for", problem_mark=node.start_mark)
        return known

    if root is not None and size(root) > _MOST_BY_ALIASES + _MOST_TIMES * len(sizes):
        raise MarkedYAMLError(problem="aliases stand for too much", problem_mark=root.start_mark)


def _inside(node: Node) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        return (each for pair in node.value for each in pair)
    return iter(node.value if isinstance(node, SequenceNode) else ())


def _repeated(root: Node | None) -> Iterator[RepeatedKey]:
    """Looks at each node once, however often it is referred to."""
    seen: set[int] = set()
    waiting = [] if root is None else [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen or not isinstance(node, MappingNode | SequenceNode):
            continue
        seen.add(id(node))
        if isinstance(node, SequenceNode):
            waiting += node.value
            continue
        lines: dict[tuple[Any, Any], int] = {}
        for key, value in node.value:
            waiting.append(value)
            if isinstance(key, ScalarNode):
                line, name = key.start_mark.line + 1, (key.tag, key.value)
                if name in lines:
                    yield RepeatedKey(key.value, lines[name], line)
                lines.setdefault(name, line)


def _collect_lines(node: Node, keys: Path_, lines: dict[Path_, int]) -> None:
    lines.setdefault(keys, node.start_mark.line + 1)
    if isinstance(node, MappingNode):
        for key, value in node.value:
            inner = (*keys, str(key.value))
            lines[inner] = key.start_mark.line + 1
            _collect_lines(value, inner, lines)
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            _collect_lines(value, (*keys, index), lines)
