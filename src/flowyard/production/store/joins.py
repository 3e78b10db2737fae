"""SQL that joins what is said of an answer to the answer. It is done when asked, as records come in any order.

Callers choose request ids and traces, so that thousands of requests may share one. Each search is one look into an
index that has all that it asks for, and costs the same however many share it.
"""

from __future__ import annotations

__all__ = [
    "APART_MS",
    "COUNTED_JUDGEMENT",
    "EXCHANGE_OF_EXPOSURE",
    "EXCHANGE_OF_FEEDBACK",
    "EXPOSURE_OF_FEEDBACK",
    "SAID_OF_EXCHANGES",
    "SAID_OF_EXPOSURES",
]

APART_MS = 3_600_000
"""How far clocks of machines, and the two ends of a stream, may be apart."""
_OF_EACH_SIDE = 10
"""Of exchanges with one request id and trace, as many before and after an exposure are looked at for its version."""


def _nearest(table: str, condition: str, of: str, wanted: str = "id") -> str:
    """Of a table's row ``n`` that fulfils the condition: the last before the row ``of``, else the first after it."""
    return f"""COALESCE(
        (SELECT n.{wanted} FROM flowyard_production_{table} n
         WHERE {condition} AND n.at_ms <= {of}.at_ms ORDER BY n.at_ms DESC, n.id DESC LIMIT 1),
        (SELECT n.{wanted} FROM flowyard_production_{table} n
         WHERE {condition} AND n.at_ms > {of}.at_ms AND n.at_ms <= {of}.at_ms + {APART_MS}
         ORDER BY n.at_ms, n.id LIMIT 1))"""  # noqa: S608 - of our own pieces


def _same(*keys: str, of: str = "f") -> str:
    return " AND ".join(f"n.{key} = {of}.{key} AND {of}.{key} <> ''" for key in keys)


_SEEN = "AND n.mirror = 0"
_REQUEST_OF_SPAN = _nearest("exchanges", _same("trace_id", "span_id"), "f", "request_id")

EXCHANGE_OF_FEEDBACK = f"""COALESCE(
    {_nearest("exchanges", _same("trace_id", "span_id"), "f")},
    {_nearest("exchanges", _same("trace_id"), "f")},
    {_nearest("exchanges", _same("request_id"), "f")})"""
"""The exchange that the feedback ``f`` is of: by its span, else by its trace, else by its request id; or NULL."""

EXPOSURE_OF_FEEDBACK = f"""COALESCE(
    {_nearest("exposures", f"{_same('trace_id')} AND n.request_id = {_REQUEST_OF_SPAN} {_SEEN}", "f")},
    {_nearest("exposures", f"{_same('trace_id')} {_SEEN}", "f")},
    {_nearest("exposures", f"{_same('request_id')} {_SEEN}", "f")})"""
"""The exposure that the feedback ``f`` is of, not a mirrored one: by the same rules; or NULL."""


def _beside(side: str, order: str, later: int) -> str:
    """Some exchanges with the trace and the request id of the exposure ``x``, on one side of it."""
    return f"""SELECT * FROM (
        SELECT n.id, n.at_ms, {later} AS later, CASE WHEN n.version = x.version THEN 0 ELSE 1 END AS other
        FROM flowyard_production_exchanges n WHERE {_same("trace_id", "request_id", of="x")} AND {side}
        ORDER BY n.at_ms {order}, n.id {order} LIMIT {_OF_EACH_SIDE}) s{later}"""  # noqa: S608 - of our own pieces


_AFTER = f"n.at_ms > x.at_ms AND n.at_ms <= x.at_ms + {APART_MS}"
EXCHANGE_OF_EXPOSURE = f"""(SELECT c.id FROM (
    {_beside("n.at_ms <= x.at_ms", "DESC", 0)} UNION ALL {_beside(_AFTER, "ASC", 1)}) c
    ORDER BY c.other, c.later, CASE WHEN c.later = 0 THEN -c.at_ms ELSE c.at_ms END, c.id LIMIT 1)"""  # noqa: S608
"""The exchange that the exposure ``x`` led to: of two, as with mirrored ones, that of its version; or NULL."""

COUNTED_JUDGEMENT = """j.drawn = 1 AND j.failed = 0 AND j.digest = (
    SELECT n.digest FROM flowyard_production_judgements n
    WHERE n.flow = j.flow AND n.evaluator = j.evaluator AND n.drawn = 1 AND n.failed = 0
    ORDER BY n.judged_ms DESC, n.id DESC LIMIT 1)"""
"""Whether the judgement ``j`` counts in comparisons: only what the rate drew, and of each evaluator the version that
judged last, as scores of two are never mixed."""

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
