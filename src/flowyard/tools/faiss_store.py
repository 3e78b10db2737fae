"""A FAISS index on disk in LangChain's form: ``index.faiss`` with the vectors and ``index.pkl`` with the texts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from flowyard.errors import ExtraMissing, UserError
from flowyard.tools.docstore import StoredDocument, read_docstore

__all__ = ["local_folder", "nearest"]

_VECTORS, _TEXTS = "index.faiss", "index.pkl"


async def nearest(folder: Path, vector: Sequence[float], count: int) -> list[tuple[StoredDocument, float]]:
    """The ``count`` documents nearest to a vector, each with the index's distance, nearest first.

    Raises UserError when the folder has no such index or the vector does not fit it, ExtraMissing without faiss.
    """
    return await asyncio.to_thread(_nearest, folder, vector, count)


def local_folder(path: str, base: Path) -> Path:
    """The folder that a tool's ``path`` names, relative to the flow's. Raises UserError for addresses."""
    if "://" in path:
        raise UserError(
            f"The index {path!r} is not on this machine.",
            hint="Download its folder beside the flow, and give the folder's path.",
        )
    found = base / path
    if not path or not found.is_dir():
        raise UserError(f"There is no folder {path!r} with an index.", hint=f"Relative paths start from {base}.")
    return found


@dataclass(frozen=True, slots=True)
class _Store:
    """``index`` is faiss's own object; ``documents`` are in the order of its vectors."""

    index: Any
    documents: Sequence[StoredDocument | None]


def _nearest(folder: Path, vector: Sequence[float], count: int) -> list[tuple[StoredDocument, float]]:
    files = [folder / _VECTORS, folder / _TEXTS]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise UserError(f"The folder {folder.name!r} has no index: {' and '.join(missing)} missing.")
    store = _open(*files, tuple(file.stat().st_mtime_ns for file in files))
    numpy = import_module("numpy")
    try:
        asked = numpy.array([vector], dtype="float32")
    except (TypeError, ValueError):
        raise UserError("The vector to search for must be a list of numbers.") from None
    if asked.ndim != 2 or asked.shape[1] != store.index.d:
        raise UserError(
            f"The vector to search for has {asked.shape[-1]} numbers, those of the index have {store.index.d}.",
            hint="Embed the question with the model that the index was made with.",
        )
    distances, places = store.index.search(asked, count)
    found = [
        (store.documents[place], float(distance))
        for distance, place in zip(distances[0], places[0], strict=True)
        if place >= 0
    ]
    return [(document, distance) for document, distance in found if document is not None]


@lru_cache(maxsize=8)
def _open(vectors: Path, texts: Path, _changed_ns: tuple[int, ...]) -> _Store:
    try:
        faiss = import_module("faiss")
    except ImportError:
        raise ExtraMissing(
            "Searching a FAISS index needs the package faiss-cpu.", hint="pip install 'flowyard[faiss]'"
        ) from None
    documents = read_docstore(texts)
    try:
        index = faiss.read_index(str(vectors))
    except RuntimeError:
        raise UserError(f"{vectors.name} is not an index that faiss can read.") from None
    if index.ntotal > len(documents):
        raise UserError(f"{vectors.name} has {index.ntotal} vectors, but {texts.name} has {len(documents)} texts.")
    return _Store(index, documents)
