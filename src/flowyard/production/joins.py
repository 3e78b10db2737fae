"""SQL that joins what is said of an answer to the answer. It is done when asked, as records come in any order.

Callers choose request ids and traces, so that thousands of requests may share one. Each search looks at the 100
nearest only, and what it costs is bounded. A search for candidates is a query of its own, because SQLite lets no ORDER
BY look outside.
"""

from __future__ import annotations

__all__ = [
    "EXCHANGE_OF_EXPOSURE",
    "EXCHANGE_OF_FEEDBACK",
    "EXPOSURE_OF_FEEDBACK",
    "SAID_OF_EXCHANGES",
    "SAID_OF_EXPOSURES",
]

_APART_MS = 3_600_000
"""How far clocks of machines, and the two ends of a stream, may be apart."""


def _near(table: str, key: str, of: str, more: str = "") -> str:
    """Rows of a table with the same ``key`` as the row ``of``: the last ones before it, and ``later`` ones."""
    return f"""(SELECT n.*, CASE WHEN n.at_ms <= {of}.at_ms THEN 0 ELSE 1 END AS later
        FROM flowyard_production_{table} n
        WHERE n.{key} = {of}.{key} AND {of}.{key} <> '' AND n.at_ms <= {of}.at_ms + {_APART_MS} {more}
        ORDER BY n.at_ms DESC LIMIT 100) c"""  # noqa: S608 - of our own pieces


def _nearest(near: str, condition: str = "1 = 1", wanted: str = "id") -> str:
    """The last candidate before the row, else the one after it."""
    return f"(SELECT c.{wanted} FROM {near} WHERE {condition} ORDER BY c.later, c.at_ms DESC, c.id LIMIT 1)"  # noqa: S608


_SAME_SPAN = "c.span_id = f.span_id AND f.span_id <> ''"
_SEEN = "AND n.mirror = 0"
_REQUEST_OF_SPAN = _nearest(_near("exchanges", "trace_id", "f"), _SAME_SPAN, "request_id")

EXCHANGE_OF_FEEDBACK = f"""COALESCE(
    {_nearest(_near("exchanges", "trace_id", "f"), _SAME_SPAN)},
    {_nearest(_near("exchanges", "trace_id", "f"))},
    {_nearest(_near("exchanges", "request_id", "f"))})"""
"""The exchange that the feedback ``f`` is of: by its span, else by its trace, else by its request id; or NULL."""

EXPOSURE_OF_FEEDBACK = f"""COALESCE(
    {_nearest(_near("exposures", "trace_id", "f", _SEEN), f"c.request_id = {_REQUEST_OF_SPAN}")},
    {_nearest(_near("exposures", "trace_id", "f", _SEEN))},
    {_nearest(_near("exposures", "request_id", "f", _SEEN))})"""
"""The exposure that the feedback ``f`` is of, not a mirrored one: by the same rules; or NULL."""

EXCHANGE_OF_EXPOSURE = f"""(SELECT b.id FROM (
    SELECT c.id, c.at_ms, c.later, CASE WHEN c.version = x.version THEN 0 ELSE 1 END AS other
    FROM {_near("exchanges", "trace_id", "x")} WHERE c.request_id = x.request_id) b
    ORDER BY b.other, b.later, b.at_ms DESC, b.id LIMIT 1)"""  # noqa: S608 - of our own pieces
"""The exchange that the exposure ``x`` led to: of two, as with mirrored ones, that of its version; or NULL."""

_SAID = """SELECT subject, MAX(positive) AS positive, MAX(score) AS score FROM (
    SELECT r.*, ROW_NUMBER() OVER (
        PARTITION BY subject ORDER BY CASE WHEN positive IS NULL THEN 1 ELSE 0 END, at_ms DESC, id DESC) AS place
    FROM (SELECT f.id, f.at_ms, f.positive, f.score, CAST({} AS TEXT) AS subject
          FROM flowyard_production_feedback f WHERE f.at_ms >= ?) r) ranked
WHERE place = 1 AND subject IS NOT NULL GROUP BY subject"""
"""Each group is one row. So that SQLite makes an index of subjects rather than scan them for each row, they are grouped
and have the type of ids."""

SAID_OF_EXCHANGES = _SAID.format(EXCHANGE_OF_FEEDBACK)
"""For each exchange ``subject`` of which something was said since the parameter: the last that says yes or no."""

SAID_OF_EXPOSURES = _SAID.format(EXPOSURE_OF_FEEDBACK)
"""The same for exposures."""
