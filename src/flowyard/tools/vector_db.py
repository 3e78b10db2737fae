"""Vector DB Lookup: the entities nearest to a vector in Azure AI Search, Qdrant or Weaviate."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from flowyard.errors import ProviderError, UserError
from flowyard.llm.connection import CognitiveSearchConnection, QdrantConnection, WeaviateConnection
from flowyard.llm.services import Services
from flowyard.tools.azure_search import find_documents, vector_query
from flowyard.tools.service_call import ServiceRequest, address_of, ask_service, secret_of

__all__ = ["search"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ONLY_IN_PREVIEWS = frozenset({"queryLanguage"})


async def search(
    services: Services,
    connection: CognitiveSearchConnection | QdrantConnection | WeaviateConnection,
    vector: list[float],
    top_k: int = 3,
    index_name: str = "",
    collection_name: str = "",
    class_name: str = "",
    text_field: str = "",
    vector_field: str = "",
    search_params: dict[str, Any] | None = None,
    search_filters: dict[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """The ``top_k`` nearest as ``{text, score, metadata, original_entity, vector}``, nearest first.

    Azure AI Search needs ``index_name`` and ``vector_field``, Qdrant ``collection_name``, Weaviate ``class_name``.
    ``search_params`` and ``search_filters`` go into the request of the first two as they are, without what is empty.
    Raises UserError, ProviderError.
    """
    count, more = int(top_k), _filled({**(search_params or {}), **(search_filters or {})})
    if isinstance(connection, CognitiveSearchConnection):
        _require(index_name=index_name, vector_field=vector_field)
        query = {"top": count, "vectorQueries": [vector_query(vector, vector_field, count)]}
        body = query | {key: value for key, value in more.items() if key not in _ONLY_IN_PREVIEWS}
        found = await find_documents(services, connection, index_name, body)
        return [_from_azure(entity, text_field, vector_field) for entity in found[:count]]
    if isinstance(connection, QdrantConnection):
        _require(collection_name=collection_name)
        return await _qdrant(services, connection, collection_name, vector, count, text_field, more)
    _require(class_name=class_name)
    return await _weaviate(services, connection, class_name, vector, count, text_field)


def _require(**inputs: str) -> None:
    for name, value in inputs.items():
        if not value:
            raise UserError(f"Vector DB Lookup needs the input {name!r} with this connection.")


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, "", {}, [])}


def _entity(text: Any, score: Any, vector: Any, original: Mapping[str, Any], metadata: Any = None) -> dict[str, Any]:
    return {"metadata": metadata, "original_entity": dict(original), "score": score, "text": text, "vector": vector}


def _from_azure(entity: Mapping[str, Any], text_field: str, vector_field: str) -> dict[str, Any]:
    text = entity.get(text_field) if text_field else None
    return _entity(text, entity.get("@search.score"), entity.get(vector_field), entity)


async def _qdrant(
    services: Services,
    connection: QdrantConnection,
    collection: str,
    vector: list[float],
    count: int,
    text_field: str,
    more: Mapping[str, Any],
) -> list[dict[str, Any]]:
    request = ServiceRequest(
        "Qdrant",
        connection,
        f"{address_of(connection, 'api_base')}/collections/{quote(collection, safe='')}/points/search",
        headers={"api-key": secret_of(connection)},
        body={"vector": vector, "limit": count, "with_payload": True, "with_vector": True, **more},
    )
    answer = await ask_service(services, request)
    try:
        return [
            _entity(
                (entity["payload"] or {}).get(text_field) if text_field else None,
                entity["score"],
                entity.get("vector"),
                entity,
                entity["payload"],
            )
            for entity in answer["result"]
        ]
    except (KeyError, TypeError, AttributeError):
        raise ProviderError(f"{request.label} did not answer with a list of points.") from None


async def _weaviate(
    services: Services,
    connection: WeaviateConnection,
    class_name: str,
    vector: list[float],
    count: int,
    text_field: str,
) -> list[dict[str, Any]]:
    for name in filter(None, (class_name, text_field)):
        if not _NAME.fullmatch(name):
            raise UserError(f"{name!r} cannot be the name of a class or a property in Weaviate.")
    near = f"nearVector: {{vector: {json.dumps([float(number) for number in vector])}}}, limit: {count}"
    query = f"{{ Get {{ {class_name}({near}) {{ {text_field} _additional {{ certainty distance vector }} }} }} }}"
    request = ServiceRequest(
        "Weaviate",
        connection,
        f"{address_of(connection, 'api_base')}/v1/graphql",
        headers={"Authorization": f"Bearer {secret_of(connection)}"},
        body={"query": query},
    )
    answer = await ask_service(services, request)
    _refuse_errors(answer, request)
    try:
        return [
            _entity(
                entity.get(text_field) if text_field else None,
                entity["_additional"]["certainty"],
                entity["_additional"].get("vector"),
                entity,
            )
            for entity in answer["data"]["Get"][class_name]
        ]
    except (KeyError, TypeError, AttributeError):
        raise ProviderError(f"{request.label} did not answer with objects of {class_name!r}.") from None


def _refuse_errors(answer: Any, request: ServiceRequest) -> None:
    """GraphQL says what went wrong in an answer whose status is 200."""
    errors = answer.get("errors") if isinstance(answer, dict) else None
    if errors:
        said = "; ".join(str(error.get("message", error) if isinstance(error, dict) else error) for error in errors)
        raise ProviderError(request.connection.redact(f"{request.label} answered: {said[:500]}"))
