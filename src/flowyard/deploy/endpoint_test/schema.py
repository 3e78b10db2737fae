"""The schema that an endpoint gives of itself, and whether values are as it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["EndpointSchema"]


class EndpointSchema:
    """``/swagger.json`` of an endpoint, as far as ``POST /score`` goes. Raises ValueError when it is none."""

    def __init__(self, document: Any) -> None:
        try:
            score = document["paths"]["/score"]["post"]
            self.request = _schema(score["requestBody"], document)
            self.answer = _schema(score["responses"]["200"], document)
        except (KeyError, TypeError):
            raise ValueError("It is no OpenAPI description of POST /score.") from None

    def request_problem(self, value: Any) -> str | None:
        """Why a request does not fit; None when it does."""
        return _problem(self.request, value)

    def answer_problem(self, value: Any) -> str | None:
        """Why an answer does not fit; outputs that it says there are have to be there."""
        missing = [
            name for name in self.answer.get("properties", {}) if isinstance(value, Mapping) and name not in value
        ]
        if missing:
            return f"The answer has no output {missing[0]!r}."
        return _problem(self.answer, value)


def _schema(part: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    content = part.get("content") or {}
    found = content.get("application/json", {}).get("schema", {})
    return {**found, "components": document.get("components", {})}


def _problem(schema: Mapping[str, Any], value: Any) -> str | None:
    import jsonschema  # noqa: PLC0415 - heavy

    try:
        jsonschema.Draft7Validator(schema).validate(value)
    except jsonschema.ValidationError as error:
        place = ".".join(str(part) for part in error.absolute_path)
        return f"{place + ': ' if place else ''}{error.message[:300]}"
    except jsonschema.exceptions.RefResolutionError as error:
        return f"The schema names what it does not have: {error}"
    return None
