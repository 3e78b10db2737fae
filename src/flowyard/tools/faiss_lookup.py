"""Faiss Index Lookup: the texts nearest to a vector in a FAISS index on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flowyard.tools.faiss_store import local_folder, nearest

__all__ = ["search"]


async def search(folder: Path, path: str, vector: list[float], top_k: int = 3) -> list[dict[str, Any]]:
    """The ``top_k`` nearest as ``{text, score, metadata, original_entity, vector}``; the score is the distance.

    ``path`` is a folder with index.faiss and index.pkl, relative to the flow's. Raises UserError, ExtraMissing.
    """
    found = await nearest(local_folder(path, folder), vector, int(top_k))
    return [
        {
            "metadata": dict(document.metadata),
            "original_entity": None,
            "score": score,
            "text": document.text,
            "vector": None,
        }
        for document, score in found
    ]
