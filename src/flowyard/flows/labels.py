"""What people call one selection: ``classify=variant_1, classify.temperature=0.5``."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["NOTHING_SELECTED", "selection_label"]

NOTHING_SELECTED = "defaults"
"""The label of a flow as its file has it, when the file has no variants to tell apart."""

_PLAIN = re.compile(r"[\w/:@+-][\w./:@+ -]*(?<! )")
_LONGEST = 48


def selection_label(assignment: Mapping[str, str], parameters: Mapping[str, Any]) -> str:
    """The one text for an assignment ``{node: variant}`` and its parameters; ``defaults`` when both are empty.

    Different selections have different labels: what could be mistaken is quoted as in JSON, and of a long value the
    beginning is shown with a digest.
    """
    variants = [f"{_word(node, dots=False)}={_word(variant)}" for node, variant in assignment.items()]
    values = [f"{_word(name)}={_value(value)}" for name, value in parameters.items()]
    return ", ".join([*variants, *values]) or NOTHING_SELECTED


def _word(text: str, *, dots: bool = True) -> str:
    """A name as it is, or quoted; a node with a dot in its name is quoted, since it would read as a parameter."""
    is_plain = _PLAIN.fullmatch(text) and (dots or "." not in text)
    return text if is_plain and len(text) <= _LONGEST else _shortened(json.dumps(text))


def _value(value: Any) -> str:
    """Text as it is unless it reads as something else: the text ``"1"`` is not the number ``1``."""
    if isinstance(value, str):
        return _shortened(json.dumps(value)) if _is_json(value) else _word(value)
    return _shortened(json.dumps(value, sort_keys=True, default=str))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST - 10]}…{hashlib.sha256(text.encode()).hexdigest()[:8]}"
