"""How a flow is served."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from flowyard.errors import UserError

__all__ = ["ServingSettings"]


@dataclass(frozen=True, slots=True)
class ServingSettings:
    """``key`` must come as ``Authorization: Bearer KEY`` on every route but ``/health``; None asks for none.

    ``included_fields`` are the only outputs that answers show; None shows all but those for evaluation. ``build`` is
    what ``/version`` says of the build.
    """

    key: str | None = None
    included_fields: frozenset[str] | None = None
    build: str | None = None
    version: str = ""
    largest_body: int = 32 * 1024 * 1024

    @classmethod
    def read(cls, environ: Mapping[str, str], version: str) -> ServingSettings:
        """From FLOWYARD_SERVE_KEY and prompt flow's PROMPTFLOW_RESPONSE_INCLUDED_FIELDS and BUILD_INFO.

        Raises UserError when a variable is not what it should be.
        """
        return cls(
            key=environ.get("FLOWYARD_SERVE_KEY") or None,
            included_fields=_fields(environ.get("PROMPTFLOW_RESPONSE_INCLUDED_FIELDS", "")),
            build=_build(environ.get("BUILD_INFO", "")),
            version=version,
        )


def _fields(text: str) -> frozenset[str] | None:
    if not text.strip():
        return None
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    if not isinstance(names, list):
        raise UserError("PROMPTFLOW_RESPONSE_INCLUDED_FIELDS must be a JSON list of output names.")
    return frozenset(map(str, names))


def _build(text: str) -> str | None:
    if not text.strip():
        return None
    try:
        info = json.loads(text)
    except ValueError:
        raise UserError("BUILD_INFO must be a JSON object with 'build_number'.") from None
    return str(info.get("build_number", "")) if isinstance(info, dict) else str(info)
