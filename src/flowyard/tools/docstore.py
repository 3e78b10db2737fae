"""The texts of a LangChain index, read from its pickle without running anything that is in it.

A pickle can name any function and have it called. This reader knows the few classes that such files are made of, puts
an inert record in the place of each, and refuses a file that names anything else.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard.errors import UserError

__all__ = ["StoredDocument", "read_docstore"]

_RECORDS = frozenset(
    {
        ("langchain.docstore.in_memory", "InMemoryDocstore"),
        ("langchain_community.docstore.in_memory", "InMemoryDocstore"),
        ("langchain.docstore.document", "Document"),
        ("langchain.schema", "Document"),
        ("langchain.schema.document", "Document"),
        ("langchain_core.documents.base", "Document"),
    }
)
_PLAIN: Mapping[tuple[str, str], Any] = {
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("__builtin__", "set"): set,  # as older pickle protocols write it
    ("__builtin__", "frozenset"): frozenset,
}


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """One text of an index and what is known about it."""

    text: str
    metadata: Mapping[str, Any]


def read_docstore(path: Path) -> Sequence[StoredDocument | None]:
    """The documents in the order of the index's vectors; None where a vector has none.

    Raises UserError when the file is no pickle of LangChain's texts, or names anything that does not belong there.
    """
    try:
        with path.open("rb") as file:
            read = _InertUnpickler(file).load()
        return _documents(read)
    except _Foreign as error:
        raise UserError(
            f"{path.name} names {error}, which has no place in an index, so it is not read.",
            hint="Make the index again from its texts with LangChain's FAISS.save_local.",
        ) from None
    except Exception as error:  # a damaged pickle can fail in any way
        raise UserError(f"{path.name} does not hold the texts of an index: {type(error).__name__}.") from None


class _Foreign(Exception):
    """The file names something that is not on the list."""


class _Record:
    """Stands for any object of the file: its state, and none of its behaviour."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def field(self, name: str) -> Any:
        """A field of the object, in whichever way its class pickled it. Raises KeyError."""
        state = self.state
        inner = state.get("__dict__") if isinstance(state, dict) else None
        return (inner if isinstance(inner, dict) else state)[name]


class _InertUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _RECORDS:
            return _Record
        if (module, name) in _PLAIN:
            return _PLAIN[module, name]
        raise _Foreign(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise _Foreign(f"something outside of itself ({pid!r})")


def _documents(read: Any) -> list[StoredDocument | None]:
    docstore, places = read
    texts = docstore.field("_dict")
    count = max(places, default=-1) + 1
    return [_document(texts.get(places.get(place))) for place in range(count)]


def _document(record: Any) -> StoredDocument | None:
    if record is None:
        return None
    return StoredDocument(str(record.field("page_content")), dict(record.field("metadata") or {}))
