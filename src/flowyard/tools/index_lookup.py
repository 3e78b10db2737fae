"""Index Lookup: the best chunks of a search index for one question or several."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard.errors import UserError
from flowyard.llm.connection import CognitiveSearchConnection, Connection, SimulatedConnection
from flowyard.llm.services import Services
from flowyard.tools.azure_search import find_documents, vector_query
from flowyard.tools.embedding import embeddings
from flowyard.tools.faiss_store import local_folder, nearest
from flowyard.tools.mlindex import MLIndex, parse_mlindex

__all__ = ["search", "search_in"]

_LABEL = "mlindex_content"
_NEEDED_BY = "The Index Lookup tool"
_INDEX_FILE = "MLIndex"
_FIELDS = {"content": "content", "embedding": "contentVector", "metadata": "meta_json_string"}
"""The fields of an index whose description does not say."""


async def search(
    services: Services, folder: Path, mlindex_content: str, queries: Any, query_type: str = "", top_k: int = 3
) -> list[Any]:
    """The ``top_k`` best chunks as ``{text, page_content, metadata, score}``; a list of such lists for several queries.

    ``mlindex_content`` is YAML that describes the index: Azure AI Search, or FAISS on disk (its score is the squared
    distance, the lower the better). ``query_type`` is a name that Index Lookup shows, such as ``Keyword``, ``Vector``,
    ``Semantic``, ``Hybrid (vector + keyword)`` or ``Hybrid + semantic``; empty means vector where texts were embedded.
    Raises UserError, ConnectionMissing, ExtraMissing, ProviderError.
    """
    index = parse_mlindex(mlindex_content, _LABEL)
    wanted = _kind_of_query(query_type, index)
    texts = [str(query) for query in queries] if isinstance(queries, list) else [str(queries)]
    vectors = await _embedded(services, index, texts) if wanted.vector else [None] * len(texts)
    found = [
        await _find(services, folder, index, text, vector, wanted, int(top_k))
        for text, vector in zip(texts, vectors, strict=True)
    ]
    return found if isinstance(queries, list) else found[0]


async def search_in(services: Services, folder: Path, path: str, query: Any, top_k: int = 3) -> list[Any]:
    """Vector Index Lookup: ``path`` is a folder with an index's description, ``query`` a text or a vector.

    Entities are ``{text, score, metadata, original_entity, vector}``. Raises as ``search`` does.
    """
    home = local_folder(path, folder)
    file = home / _INDEX_FILE
    if not file.is_file():
        raise UserError(f"The folder {path!r} has no file {_INDEX_FILE}, which describes an index.")
    index = parse_mlindex(file.read_text(encoding="utf-8-sig"), _INDEX_FILE)
    vector = query if isinstance(query, list) else (await _embedded(services, index, [str(query)]))[0]
    found = await _find(services, home, index, str(query), vector, _Wanted(vector=True), int(top_k))
    return [
        {
            "metadata": item["metadata"],
            "original_entity": None,
            "score": item["score"],
            "text": item["text"],
            "vector": None,
        }
        for item in found
    ]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """By what a query searches; at least one is true."""

    keyword: bool = False
    vector: bool = False
    semantic: bool = False


def _kind_of_query(query_type: str, index: MLIndex) -> _Wanted:
    text = query_type.lower() or ("vector" if index.embedding_connection else "keyword")
    hybrid, semantic = "hybrid" in text, "semantic" in text
    wanted = _Wanted(hybrid or semantic or "keyword" in text or "simple" in text, hybrid or "vector" in text, semantic)
    if not (wanted.keyword or wanted.vector):
        raise UserError(
            f"An index cannot be searched by {query_type!r}.",
            hint="Use Keyword, Vector, Semantic, 'Hybrid (vector + keyword)' or 'Hybrid + semantic'.",
        )
    if index.kind == "faiss" and wanted != _Wanted(vector=True):
        raise UserError(f"A FAISS index cannot be searched by {query_type!r}.", hint="Use the query type Vector.")
    if semantic and not index.semantic_configuration:
        raise UserError("The index has no semantic_configuration_name, so it cannot be searched by 'Semantic'.")
    return wanted


async def _embedded(services: Services, index: MLIndex, texts: list[str]) -> list[list[float]]:
    if index.embedding_connection is None:
        raise UserError("The texts of this index were not embedded, so it cannot be searched by vector.")
    connection = services.connections.get(index.embedding_connection, needed_by=_NEEDED_BY)
    return await embeddings(services, connection, index.embedding_model, texts)


async def _find(
    services: Services, folder: Path, index: MLIndex, text: str, vector: Any, wanted: _Wanted, count: int
) -> list[dict[str, Any]]:
    if index.kind == "faiss":
        found = await nearest(local_folder(index.path, folder), vector, count)
        return [_chunk(document.text, document.metadata, score) for document, score in found]
    assert index.connection is not None
    connection = _search_connection(services.connections.get(index.connection, needed_by=_NEEDED_BY))
    fields = {**_FIELDS, **index.fields}
    body: dict[str, Any] = {"top": count}
    if wanted.keyword:
        body["search"] = text
    if wanted.vector:
        body["vectorQueries"] = [vector_query(vector, fields["embedding"], count)]
    if wanted.semantic:
        body |= {"queryType": "semantic", "semanticConfiguration": index.semantic_configuration}
        body |= {"captions": "extractive", "answers": "extractive"}
    documents = await find_documents(services, connection, index.index, body)
    return [_read(document, fields) for document in documents[:count]]


def _search_connection(found: Connection) -> CognitiveSearchConnection:
    if isinstance(found, CognitiveSearchConnection):
        return found
    if isinstance(found, SimulatedConnection):
        raise UserError(
            f"Index Lookup searches a real index through connection {found.name!r}, and only models are simulated.",
            hint="Set that connection, which then replaces the simulated one.",
        )
    raise UserError(
        f"Index Lookup needs a {CognitiveSearchConnection.TYPE} connection, but {found.name!r} is {found.type}."
    )


def _read(document: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
    metadata = _metadata(document.get(fields["metadata"]))
    for name, key in (("title", "title"), ("url", "url"), ("filename", "filepath")):
        if name in fields and document.get(fields[name]) is not None:
            metadata.setdefault(key, document[fields[name]])
    captions = document.get("@search.captions")
    if captions:
        first = captions[0]
        metadata["captions"] = {"text": first.get("text", ""), "highlights": first.get("highlights") or ""}
    score = document.get("@search.rerankerScore", document.get("@search.score"))
    return _chunk(str(document.get(fields["content"]) or ""), metadata, score)


def _metadata(stored: Any) -> dict[str, Any]:
    """The metadata of a document: JSON text, or the value of an ordinary field."""
    if isinstance(stored, str):
        try:
            read = json.loads(stored)
        except ValueError:
            return {"metadata": stored}
        return read if isinstance(read, dict) else {"metadata": stored}
    return dict(stored) if isinstance(stored, Mapping) else {}


def _chunk(text: str, metadata: Mapping[str, Any], score: Any) -> dict[str, Any]:
    # Users' code reads ``text``, as flows made in the studio do, or ``page_content``, as the documentation says.
    return {"text": text, "page_content": text, "metadata": dict(metadata), "score": score}
