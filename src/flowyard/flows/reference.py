"""The grammar of ``${…}`` references, and following them into a value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flowyard.flows.model import InputRef, Key, Literal, NodeRef, Value

__all__ = ["ReferenceSyntaxError", "follow", "parse_value"]

_TOKEN = re.compile(r"\['(?P<key>[^']*)'\]|\[(?P<index>\d+)\]|(?P<word>\w+)")
_OUTPUT_SECTION = re.compile(r"outputs?(?=$|[.\[])")


class ReferenceSyntaxError(ValueError):
    """The text is a reference, but not one that can be resolved."""


def parse_value(raw: Any) -> Value:
    """What a YAML value in a node's inputs means: a reference only if it is wholly ``${…}``, else itself.

    Raises ReferenceSyntaxError for a section other than ``output``.
    """
    if not (isinstance(raw, str) and len(raw) > 3 and raw.startswith("${") and raw.endswith("}")):
        return Literal(raw)
    text = raw[2:-1]
    head, dot, rest = text.partition(".")
    if head in ("inputs", "flow") and dot:
        return InputRef(rest)
    if not dot:
        return _node_without_section(raw, text)
    section = _OUTPUT_SECTION.match(rest)
    if section is None:
        raise ReferenceSyntaxError(
            f"Reference {raw!r} has the section {rest.split('.')[0]!r}; write '${{{head}.output}}'."
        )
    return NodeRef(head, _path(rest[section.end() :]), raw)


def _node_without_section(raw: str, text: str) -> NodeRef:
    if not text.strip():
        raise ReferenceSyntaxError(f"Reference {raw!r} names no node.")
    return NodeRef(text, (), raw)


def _path(text: str) -> tuple[str | int | Key, ...]:
    steps: list[str | int | Key] = []
    for token in _TOKEN.finditer(text):
        if token["key"] is not None:
            steps.append(Key(token["key"]))
        elif token["index"] is not None:
            steps.append(int(token["index"]))
        else:
            steps.append(token["word"])
    return tuple(steps)


def follow(value: Any, reference: NodeRef) -> Any:
    """The property of ``value`` that the reference names. Raises LookupError saying which step does not exist.

    A word is a key of a mapping and an attribute of anything else; a quoted key and an index are subscriptions.
    """
    for step in reference.path:
        try:
            value = _step(value, step)
        except (LookupError, AttributeError, TypeError):
            has = ", ".join(repr(str(key)) for key in list(value)[:8]) if isinstance(value, Mapping) else ""
            name = step.name if isinstance(step, Key) else step
            raise LookupError(
                f"{reference.text} asks for {name!r}, but the {type(value).__name__} that node "
                f"{reference.node!r} returned has no such property.{f' It has: {has}.' if has else ''}"
            ) from None
    return value


def _step(value: Any, step: str | int | Key) -> Any:
    if isinstance(step, Key):
        return value[step.name]
    if isinstance(step, int):
        return value[step]
    return value[step] if isinstance(value, Mapping) else getattr(value, step)
