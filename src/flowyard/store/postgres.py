"""PostgreSQL: one database for the runs of many machines."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from flowyard.errors import ExtraMissing, StoreError
from flowyard.store.database import Answer, Database, Session

if TYPE_CHECKING:
    import psycopg

__all__ = ["PostgresDatabase"]

T = TypeVar("T")

_LOCK = 0x666C6F77
"""The advisory lock of whoever changes our tables."""
_ATTEMPTS = 20


class PostgresDatabase(Database):
    """A database by its URL, ``postgresql://…`` as libpq reads it; ``PGPASSWORD`` and ``.pgpass`` work, too."""

    kind = "postgresql"
    text_type = 'TEXT COLLATE "C"'
    schema_exists = (  # to_regclass may answer from a cache, without what another transaction has just made
        "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relname = 'flowyard_schema' AND n.nspname = current_schema()"
    )
    matches_pattern = r"name LIKE ? ESCAPE '\'"

    def __init__(self, url: str) -> None:
        self._url = url
        self.label = _without_secrets(url)

    def exists(self) -> bool:
        return True

    def read(self, work: Callable[[Session], T]) -> T:
        return self._patiently(work)

    def write(self, work: Callable[[Session], T], *, durable: bool = True) -> T:
        def writing(session: _Session) -> T:
            with session.connection.transaction():
                if not durable:
                    session.execute("SET LOCAL synchronous_commit = off")
                return work(session)

        return self._patiently(writing)

    def claim_schema(self, session: Session) -> None:
        session.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")

    def pattern(self, pattern: str) -> str:
        escaped = "".join(f"\\{letter}" if letter in "\\%_" else letter for letter in pattern)
        return escaped.replace("*", "%").replace("?", "_")

    def _patiently(self, work: Callable[[_Session], T]) -> T:
        psycopg = _psycopg()
        for attempt in range(_ATTEMPTS):
            try:
                with self._session(psycopg) as session:
                    return work(session)
            except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected) as error:
                if attempt == _ATTEMPTS - 1:
                    raise self._said(error) from None
            except psycopg.Error as error:
                raise self._said(error) from None  # its chain may hold the URL
            time.sleep(random.uniform(0.001, 0.05))
        raise AssertionError

    @contextmanager
    def _session(self, psycopg: Any) -> Iterator[_Session]:
        defaults = {"connect_timeout": 10, "application_name": "flowyard"}
        given = psycopg.conninfo.conninfo_to_dict(self._url)
        with psycopg.connect(**{**defaults, **given}, autocommit=True) as connection:
            yield _Session(connection)

    def _said(self, error: psycopg.Error) -> StoreError:
        text = " ".join(str(error).split())
        for secret in _secrets(self._url):
            text = text.replace(secret, "***")
        return StoreError(
            f"The store {self.label} cannot be read or written: {text}",
            hint="Check FLOWYARD_STORE or the setting store.url, and that the server answers: flowyard store show",
        )


class _Session:
    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Answer:
        text: Any = sql.replace("?", "%s")  # the type stands for literals only, against injection; ours are constants
        return _Found(self.connection.execute(text, values))


class _Found:
    """An answer; a statement that finds nothing by its nature has no rows, rather than an error."""

    def __init__(self, cursor: psycopg.Cursor[Any]) -> None:
        self.rowcount = cursor.rowcount
        self._cursor = cursor

    def fetchall(self) -> Sequence[Sequence[Any]]:
        return self._cursor.fetchall()


def _psycopg() -> Any:
    try:
        import psycopg  # noqa: PLC0415 - optional, and only this kind of store needs it
    except ImportError:
        raise ExtraMissing("A store in PostgreSQL needs psycopg.", hint="pip install 'flowyard[postgres]'") from None
    return psycopg


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _secrets(url: str) -> list[str]:
    """The password wherever the URL has it, as written and as meant."""
    parts = urlsplit(url)
    found = [parts.netloc.rpartition("@")[0].partition(":")[2], *parse_qs(parts.query).get("password", [])]
    return sorted({each for text in found if text for each in (text, unquote(text))}, key=len, reverse=True)
