"""SQL that joins what is said of an answer to the answer. It is done when asked, as records come in any order."""

from __future__ import annotations

__all__ = [
    "EXCHANGE_OF_EXPOSURE",
    "EXCHANGE_OF_FEEDBACK",
    "EXPOSURE_OF_FEEDBACK",
    "SAID_OF_EXCHANGES",
    "SAID_OF_EXPOSURES",
]


def _nearest(table: str, source: str, condition: str) -> str:
    """The last one before the feedback ``f``; clocks of two machines may put all of them after it.

    The order is worked out in a query of its own, as SQLite lets no ORDER BY look outside.
    """
    return f"""(SELECT id FROM (
        SELECT {table}.id, {table}.at_ms, CASE WHEN {table}.at_ms <= f.at_ms THEN 0 ELSE 1 END AS later
        FROM {source} WHERE {condition}) c ORDER BY later, at_ms DESC, id LIMIT 1)"""  # noqa: S608 - our own pieces


_SAME_SPAN = "e.trace_id = f.trace_id AND e.span_id = f.span_id AND f.trace_id <> '' AND f.span_id <> ''"
_EXCHANGES = "flowyard_production_exchanges e"
_EXPOSURES = "flowyard_production_exposures x"
_EXPOSURES_OF_EXCHANGES = f"{_EXCHANGES} JOIN {_EXPOSURES} ON x.request_id = e.request_id AND x.trace_id = e.trace_id"

EXCHANGE_OF_FEEDBACK = f"""COALESCE(
    {_nearest("e", _EXCHANGES, _SAME_SPAN)},
    {_nearest("e", _EXCHANGES, "e.trace_id = f.trace_id AND f.trace_id <> ''")},
    {_nearest("e", _EXCHANGES, "e.request_id = f.request_id AND f.request_id <> ''")})"""
"""The exchange that the feedback ``f`` is of: by its span, else by its trace, else by its request id; or NULL."""

EXPOSURE_OF_FEEDBACK = f"""COALESCE(
    {_nearest("x", _EXPOSURES_OF_EXCHANGES, f"{_SAME_SPAN} AND x.mirror = 0")},
    {_nearest("x", _EXPOSURES, "x.trace_id = f.trace_id AND f.trace_id <> '' AND x.mirror = 0")},
    {_nearest("x", _EXPOSURES, "x.request_id = f.request_id AND f.request_id <> '' AND x.mirror = 0")})"""

EXCHANGE_OF_EXPOSURE = f"""(SELECT id FROM (
    SELECT e.id, e.at_ms, CASE WHEN e.version = x.version THEN 0 ELSE 1 END AS other
    FROM {_EXCHANGES} WHERE e.request_id = x.request_id AND e.trace_id = x.trace_id) c
    ORDER BY other, at_ms DESC, id LIMIT 1)"""  # noqa: S608 - our own pieces
"""The exchange that the exposure ``x`` led to: of two, as with mirrored ones, that of its version; or NULL."""

_SAID = """SELECT subject, positive, score FROM (
    SELECT r.*, ROW_NUMBER() OVER (
        PARTITION BY subject ORDER BY CASE WHEN positive IS NULL THEN 1 ELSE 0 END, at_ms DESC, id DESC) AS place
    FROM (SELECT f.id, f.at_ms, f.positive, f.score, {} AS subject
          FROM flowyard_production_feedback f WHERE f.at_ms >= ?) r
    WHERE subject IS NOT NULL) ranked
WHERE place = 1"""

SAID_OF_EXCHANGES = _SAID.format(EXCHANGE_OF_FEEDBACK)
"""For each exchange ``subject`` of which something was said since the parameter: the last that says yes or no."""

SAID_OF_EXPOSURES = _SAID.format(EXPOSURE_OF_FEEDBACK)
"""The same for exposures."""
