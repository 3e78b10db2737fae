"""How a flow is served."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowyard.errors import UserError
from flowyard.spans import SpanSettings

__all__ = ["ENGINES", "ServingSettings"]

ENGINES = ("flask", "fastapi")
"""The names of prompt flow's engines, which are accepted and without effect."""


@dataclass(frozen=True, slots=True)
class ServingSettings:
    """``key`` must come with every request but those for ``/health``; None asks for none.

    ``included_fields`` are the only outputs that answers show; None shows all but those for evaluation. ``build`` is
    what ``/version`` says of the build. ``at_once`` requests for lines may be under way, each for ``line_s`` seconds at
    most; ``body_bytes`` is the largest body. When the server has to stop, they get ``grace_s`` seconds to end.
    ``workers`` processes serve, in each of which ``threads`` run plain Python (None for as many as there are lines);
    ``init`` are the arguments of a flow that is a class. ``records`` is the folder for production records, None for
    none, or ``record_sink`` names where else they go, made with ``environ``; ``share`` of the requests is recorded, 0
    to 1. Neither records nor traces hold what goes by ``hidden`` names; ``spans`` says where traces go.
    Records are of ``served_flow`` in ``served_version``, where these are not empty. ``behind_gateway``
    says that something in front checks callers by a key of its own.
    """

    key: str | None = None
    included_fields: frozenset[str] | None = None
    build: str | None = None
    version: str = ""
    served_flow: str = ""
    served_version: str = ""
    at_once: int = 512
    line_s: float = 300.0
    body_bytes: int = 32 * 1024 * 1024
    grace_s: float = 25.0
    records: Path | None = None
    share: float = 1.0
    hidden: frozenset[str] = frozenset()
    record_sink: str | None = None
    workers: int = 1
    threads: int | None = None
    init: Mapping[str, Any] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    spans: SpanSettings = field(default_factory=SpanSettings)
    behind_gateway: bool = False

    @classmethod
    def read(cls, environ: Mapping[str, str], version: str) -> ServingSettings:
        """From the variables ``FLOWYARD_SERVE_…`` and prompt flow's PROMPTFLOW_RESPONSE_INCLUDED_FIELDS and BUILD_INFO.

        Raises UserError when a variable is not what it should be.
        """
        _engine(environ)
        folder = environ.get("FLOWYARD_SERVE_RECORDS", "").strip()
        hidden = environ.get("FLOWYARD_SERVE_RECORDS_HIDE", "").replace(",", " ").split()
        return cls(
            key=environ.get("FLOWYARD_SERVE_KEY") or None,
            included_fields=_fields(_either(environ, "RESPONSE_INCLUDED_FIELDS")),
            build=_build(environ.get("BUILD_INFO", "")),
            version=version,
            served_flow=environ.get("FLOWYARD_SERVE_FLOW", "").strip(),
            served_version=environ.get("FLOWYARD_SERVE_VERSION", "").strip(),
            at_once=int(_number(environ, "FLOWYARD_SERVE_AT_ONCE", 512, least=1)),
            line_s=_number(environ, "FLOWYARD_SERVE_LINE_S", 300, least=0.001),
            body_bytes=int(_number(environ, "FLOWYARD_SERVE_BODY_BYTES", 32 * 1024 * 1024, least=1)),
            grace_s=_number(environ, "FLOWYARD_SERVE_GRACE_S", 25, least=0),
            records=Path(folder) if folder else None,
            share=_number(environ, "FLOWYARD_SERVE_RECORDS_SHARE", 1, least=0, most=1),
            hidden=frozenset(hidden),
            record_sink=environ.get("FLOWYARD_SERVE_RECORDS_SINK", "").strip() or None,
            workers=_count(environ, "PROMPTFLOW_WORKER_NUM") or 1,
            threads=_count(environ, "PROMPTFLOW_WORKER_THREADS"),
            init=_init(environ.get("PF_FLOW_INIT_CONFIG", "")),
            environ=environ,
            behind_gateway=_is_behind_gateway(environ.get("FLOWYARD_SERVE_AUTH", "").strip()),
        )


def _is_behind_gateway(said: str) -> bool:
    if said not in ("", "gateway"):
        hint = "Say 'gateway' where something in front checks callers; else leave it out, and set FLOWYARD_SERVE_KEY."
        raise UserError(f"FLOWYARD_SERVE_AUTH cannot be {said!r}.", hint=hint)
    return said == "gateway"


def _number(environ: Mapping[str, str], name: str, default: float, *, least: float, most: float = math.inf) -> float:
    text = environ.get(name, "").strip()
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        upper = f" to {most:g}" if most < math.inf else " or more"
        raise UserError(f"{name} must be a number, {least:g}{upper}, not {text!r}.")
    return number


def _either(environ: Mapping[str, str], name: str) -> str:
    """Prompt flow's variables go by either of two prefixes."""
    return environ.get(f"PROMPTFLOW_{name}") or environ.get(f"PF_{name}", "")


def _count(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_PROCESSES):
        raise UserError(f"{name} must be a whole number from 1 to {_MOST_PROCESSES}, not {text!r}.")
    return int(text)


_MOST_PROCESSES = 256


def _init(text: str) -> Mapping[str, Any]:
    if not text.strip():
        return {}
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise UserError("PF_FLOW_INIT_CONFIG must be a JSON object with the arguments of the flow's class.")
    return values


def _engine(environ: Mapping[str, str]) -> None:
    """Prompt flow has two engines; either means ours."""
    name = _either(environ, "SERVING_ENGINE").strip()
    if name not in ("", *ENGINES):
        raise UserError(f"PROMPTFLOW_SERVING_ENGINE must be {' or '.join(ENGINES)}, not {name!r}.")


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
