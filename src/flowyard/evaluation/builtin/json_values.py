"""Evaluators that look at an answer as JSON. An answer that is text is read as JSON first."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flowyard.errors import LineError, UserError
from flowyard.evaluation.builtin.given import json_of, require_expected
from flowyard.evaluation.builtin.json_difference import JsonComparison

__all__ = ["IsJson", "JsonEquality", "JsonSchema"]


class IsJson:
    """Whether the answer is JSON of that kind. Raises UserError for another kind."""

    _KINDS: Mapping[str, type | tuple[type, ...]] = {"any": object, "object": dict, "list": list}

    def __init__(self, expected: str = "any") -> None:
        if expected not in self._KINDS:
            raise UserError(f"'expected' is {expected!r}.", hint=f"Write one of: {', '.join(self._KINDS)}.")
        self._kind = self._KINDS[expected]

    def __call__(self, *, answer: Any) -> dict[str, int]:
        """``is_json``."""
        try:
            fits = answer is not None and isinstance(json_of(answer), self._kind)
        except ValueError:
            fits = False
        return {"is_json": int(fits)}


class JsonSchema:
    """Whether the answer fits a schema, which is given, or the path of a file with it.

    References to other documents are not followed. Raises UserError for a schema that is none.
    """

    def __init__(self, schema: Any) -> None:
        from jsonschema import SchemaError, validators  # noqa: PLC0415 - heavy
        from referencing import Registry  # noqa: PLC0415 - heavy

        schema = _read_schema(schema) if isinstance(schema, str) else schema
        kind = validators.validator_for(schema, default=validators.Draft202012Validator)
        try:
            kind.check_schema(schema)
        except SchemaError as error:
            raise UserError(f"'schema' is not a JSON schema: {error.json_path}: {error.message}") from None
        self._validator = kind(schema, registry=Registry())  # one that retrieves nothing

    def __call__(self, *, answer: Any) -> dict[str, Any]:
        """``json_schema``, and ``reason`` when it does not fit. Raises LineError when a reference leads nowhere."""
        from referencing.exceptions import Unresolvable  # noqa: PLC0415 - heavy

        try:
            value = json_of(answer)
        except ValueError as error:
            return {"json_schema": 0, "reason": f"$: not JSON: {error}"}
        try:
            errors = sorted(self._validator.iter_errors(value), key=lambda error: [str(step) for step in error.path])
        except Unresolvable as error:
            message = f"The schema refers to {error.ref!r}, which is not in it."
            raise LineError(message, hint="Put what it refers to under $defs.") from None
        reason = f"{errors[0].json_path}: {errors[0].message}" if errors else None
        return {"json_schema": int(not errors), "reason": reason}


def _read_schema(path: str) -> Any:
    try:
        return json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise UserError(f"The schema {path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise UserError(f"The schema {path} is not JSON: {error}.") from None


class JsonEquality:
    """Whether the answer is the expected JSON value, nested ones included."""

    def __init__(
        self, ignore_order: bool = False, ignore_keys: Sequence[str] = (), numeric_tolerance: float = 0.0
    ) -> None:
        if isinstance(ignore_keys, str):
            raise UserError("'ignore_keys' is a list of names.", hint=f"Write: ignore_keys: [{ignore_keys}]")
        self._comparison = JsonComparison(ignore_order, frozenset(ignore_keys), numeric_tolerance)

    def __call__(self, *, answer: Any, ground_truth: Any) -> dict[str, Any]:
        """``json_equality``, and ``reason`` when it is another. Raises LineError when the expected value is no JSON."""
        try:
            expected = json_of(require_expected(ground_truth))
        except ValueError as error:
            raise LineError(f"'ground_truth' is not JSON: {error}.", hint="Correct the line in the data.") from None
        try:
            given = json_of(answer)
        except ValueError as error:
            return {"json_equality": 0, "reason": f"$: not JSON: {error}"}
        reason = self._comparison.difference(given, expected)
        return {"json_equality": int(reason is None), "reason": reason}
