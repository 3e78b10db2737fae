"""Index Lookup and Vector DB Lookup against services that answer as documented."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowyard.errors import ProviderError, UserError
from flowyard.llm.connection import (
    CognitiveSearchConnection,
    Connection,
    OpenAIConnection,
    QdrantConnection,
    SimulatedConnection,
    WeaviateConnection,
)
from flowyard.llm.services import Services
from flowyard.tools import index_lookup, vector_db

Make = Callable[..., Services]
ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w /connections"
EMBEDDINGS = f"""\
embeddings:
  api_type: azure
  connection:
    id: {ID}/model
  connection_type: workspace_connection
  deployment: ada
  dimension: 2
  kind: open_ai
  model: text-embedding-ada-002
  schema_version: '2'
"""
INDEX = f"""\
index:
  api_version: 2023-07-01-preview
  connection:
    id: {ID}/search
  connection_type: workspace_connection
  endpoint: https://elsewhere.example
  engine: azure-sdk
  field_mapping:
    content: body
    embedding: vec
    metadata: meta
    title: heading
  index: products & more
  kind: acs
  semantic_configuration_name: azureml-default
"""
VECTORS = {"data": [{"embedding": [0.5, 1.0]}]}
FOUND = {
    "value": [
        {"@search.score": 0.9, "body": "one", "meta": '{"source": {"url": "u"}}', "heading": "First"},
        {"@search.score": 0.4, "body": "two", "meta": "no json", "@search.rerankerScore": 2.5},
    ]
}


def search(fake: Any, version: str | None = None) -> CognitiveSearchConnection:
    return CognitiveSearchConnection(fake.url, "k3y", version, name="search")


def model(fake: Any) -> Connection:
    return OpenAIConnection("sk", base_url=fake.url, name="model")


async def test_keyword_asks_for_no_vector(fake: Any, services_with: Make, tmp_path: Path) -> None:
    fake.says(FOUND)
    found = await index_lookup.search(services_with(search(fake)), tmp_path, INDEX, "shoes", "Keyword", 2)
    path, _, headers, body = fake.asked[0]
    assert path == "/indexes/products%20%26%20more/docs/search?api-version=2023-11-01"
    assert headers["api-key"] == "k3y"
    assert body == {"top": 2, "search": "shoes"}
    meta = {"source": {"url": "u"}, "title": "First"}
    assert found[0] == {"text": "one", "page_content": "one", "metadata": meta, "score": 0.9}
    assert (found[1]["metadata"], found[1]["score"]) == ({"metadata": "no json"}, 2.5)


@pytest.mark.parametrize(
    ("query_type", "keys"),
    [
        ("Vector", {"top", "vectorQueries"}),
        ("", {"top", "vectorQueries"}),
        ("Hybrid (vector + keyword)", {"top", "vectorQueries", "search"}),
        ("Semantic", {"top", "search", "queryType", "semanticConfiguration", "captions", "answers"}),
        (
            "Hybrid + semantic",
            {"top", "vectorQueries", "search", "queryType", "semanticConfiguration", "captions", "answers"},
        ),
    ],
)
async def test_query_types(fake: Any, services_with: Make, tmp_path: Path, query_type: str, keys: set[str]) -> None:
    embeds = "vectorQueries" in keys
    fake.answers.clear()
    for answer in [VECTORS, FOUND] if embeds else [FOUND]:
        fake.says(answer)
    services = services_with(search(fake), model(fake))
    await index_lookup.search(services, tmp_path, EMBEDDINGS + INDEX, "shoes", query_type)
    if embeds:
        assert fake.bodies[0] == {"input": ["shoes"], "model": "ada"}
        assert fake.bodies[1]["vectorQueries"] == [{"kind": "vector", "vector": [0.5, 1.0], "fields": "vec", "k": 3}]
    assert fake.bodies[-1].keys() == keys


async def test_several_queries_are_embedded_at_once_and_answered_in_order(
    fake: Any, services_with: Make, tmp_path: Path
) -> None:
    fake.says({"data": [{"embedding": [1.0]}, {"embedding": [2.0]}]}).says(FOUND).says({"value": []})
    services = services_with(search(fake), model(fake))
    found = await index_lookup.search(services, tmp_path, EMBEDDINGS + INDEX, ["a", "b"], "Vector", 1)
    assert [[item["text"] for item in one] for one in found] == [["one"], []]
    assert [body["vectorQueries"][0]["vector"] for body in fake.bodies[1:]] == [[1.0], [2.0]]


async def test_captions_come_with_the_metadata(fake: Any, services_with: Make, tmp_path: Path) -> None:
    fake.says({"value": [{"body": "b", "@search.captions": [{"text": "c", "highlights": None}], "@search.score": 1}]})
    found = await index_lookup.search(services_with(search(fake)), tmp_path, INDEX, "q", "Semantic")
    assert found[0]["metadata"] == {"captions": {"text": "c", "highlights": ""}}


async def test_a_newer_version_of_the_api_is_kept(fake: Any, services_with: Make, tmp_path: Path) -> None:
    fake.says(FOUND)
    services = services_with(search(fake, "2024-07-01"))
    await index_lookup.search(services, tmp_path, INDEX, "q", "Keyword")
    assert fake.asked[0][1] == {"api-version": "2024-07-01"}


@pytest.mark.parametrize(
    ("text", "query_type", "said"),
    [
        ("index: [", "Keyword", "Not valid YAML"),
        ("just text", "Keyword", "'index' mapping"),
        ("index: {kind: pinecone}", "Vector", "'pinecone' cannot be searched"),
        ("index: {kind: acs}", "Keyword", "not named by a connection"),
        ("index: {kind: acs, connection_type: inline, connection: {id: x}}", "Keyword", "not named by a connection"),
        (INDEX, "Vector", "were not embedded"),
        (INDEX, "Fuzzy", "cannot be searched by 'Fuzzy'"),
        (INDEX.replace("semantic_configuration_name: azureml-default", ""), "Semantic", "semantic_configuration_name"),
        ("embeddings: {kind: hugging_face}\n" + INDEX, "Vector", "embedded by 'hugging_face'"),
        ("index: {kind: faiss, path: x}", "Keyword", "FAISS index cannot be searched by 'Keyword'"),
    ],
)
async def test_descriptions_that_are_wrong(
    fake: Any, services_with: Make, tmp_path: Path, text: str, query_type: str, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        await index_lookup.search(services_with(search(fake)), tmp_path, text, "q", query_type)
    assert fake.asked == []


async def test_an_index_is_not_simulated(services_with: Make, tmp_path: Path) -> None:
    services = services_with(SimulatedConnection("rules.yaml", name="search"))
    with pytest.raises(UserError, match="only models are simulated"):
        await index_lookup.search(services, tmp_path, INDEX, "q", "Keyword")


async def test_a_connection_of_another_kind(fake: Any, services_with: Make, tmp_path: Path) -> None:
    services = services_with(QdrantConnection("k", fake.url, name="search"))
    with pytest.raises(UserError, match="needs a cognitive_search connection, but 'search' is qdrant"):
        await index_lookup.search(services, tmp_path, INDEX, "q", "Keyword")


@pytest.mark.parametrize("answer", [{}, {"value": "x"}, [], {"value": [1]}])
async def test_an_answer_without_documents(fake: Any, services_with: Make, tmp_path: Path, answer: Any) -> None:
    fake.says(answer)
    with pytest.raises(ProviderError, match="Azure AI Search \\(connection 'search'\\)"):
        await index_lookup.search(services_with(search(fake)), tmp_path, INDEX, "q", "Keyword")


async def test_vector_db_in_azure(fake: Any, services_with: Make) -> None:
    entity = {"@search.score": 0.5, "id": "1", "body": "text", "vec": [1.0]}
    fake.says({"value": [entity]})
    found = await vector_db.search(
        services_with(),
        search(fake, "2023-07-01-preview"),
        [0.5, 1],
        2,
        index_name="docs",
        text_field="body",
        vector_field="vec",
        search_params={"select": "", "search": "shoes", "queryLanguage": "en-us"},
        search_filters={"filter": "price lt 9"},
    )
    assert found == [{"metadata": None, "original_entity": entity, "score": 0.5, "text": "text", "vector": [1.0]}]
    vectors = [{"kind": "vector", "vector": [0.5, 1], "fields": "vec", "k": 2}]
    assert fake.bodies == [{"top": 2, "vectorQueries": vectors, "search": "shoes", "filter": "price lt 9"}]


async def test_vector_db_in_qdrant(fake: Any, services_with: Make) -> None:
    entity = {"id": 1, "payload": {"text": "sample"}, "score": 1, "vector": [0.1], "version": 0}
    fake.says({"result": [entity], "status": "ok"})
    found = await vector_db.search(
        services_with(),
        QdrantConnection("k3y", f"{fake.url}/", name="q"),
        [0.1],
        collection_name="my/docs",
        text_field="text",
        search_params={"params": {"exact": True}},
    )
    assert found == [
        {"metadata": {"text": "sample"}, "original_entity": entity, "score": 1, "text": "sample", "vector": [0.1]}
    ]
    path, _, headers, body = fake.asked[0]
    assert (path, headers["api-key"]) == ("/collections/my%2Fdocs/points/search", "k3y")
    assert body == {
        "vector": [0.1],
        "limit": 3,
        "with_payload": True,
        "with_vector": True,
        "params": {"exact": True},
    }


async def test_vector_db_in_weaviate(fake: Any, services_with: Make) -> None:
    entity = {"_additional": {"certainty": 1, "distance": 0, "vector": [0.5]}, "body": "sample"}
    fake.says({"data": {"Get": {"Doc": [entity]}}})
    connection = WeaviateConnection("k3y", fake.url, name="w")
    found = await vector_db.search(services_with(), connection, [0.5, 1], 4, class_name="Doc", text_field="body")
    assert found == [{"metadata": None, "original_entity": entity, "score": 1, "text": "sample", "vector": [0.5]}]
    path, _, headers, body = fake.asked[0]
    assert (path, headers["authorization"]) == ("/v1/graphql", "Bearer k3y")
    assert "Doc(nearVector: {vector: [0.5, 1.0]}, limit: 4) { body _additional" in body["query"]


@pytest.mark.parametrize("name", ["Doc) { x } }", "1Doc", 'a"b'])
async def test_names_cannot_add_to_the_query(fake: Any, services_with: Make, name: str) -> None:
    connection = WeaviateConnection("k", fake.url, name="w")
    with pytest.raises(UserError, match="cannot be the name"):
        await vector_db.search(services_with(), connection, [1], class_name=name)
    assert fake.asked == []


async def test_weaviate_says_errors_in_an_answer_that_looks_good(fake: Any, services_with: Make) -> None:
    key = "a-key-of-weaviate"
    fake.says({"errors": [{"message": f"no class Doc for {key}"}]})
    with pytest.raises(ProviderError, match="no class Doc") as caught:
        await vector_db.search(services_with(), WeaviateConnection(key, fake.url, name="w"), [1], class_name="Doc")
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("connection", "needed"),
    [
        (CognitiveSearchConnection("http://x", "k"), "index_name"),
        (QdrantConnection("k", "http://x"), "collection_name"),
        (WeaviateConnection("k", "http://x"), "class_name"),
    ],
)
async def test_each_store_needs_its_own_name(services_with: Make, connection: Any, needed: str) -> None:
    with pytest.raises(UserError, match=needed):
        await vector_db.search(services_with(), connection, [1], vector_field="v")


@pytest.mark.parametrize("answer", [{}, {"result": None}, {"result": [{"id": 1}]}])
async def test_qdrant_answers_of_another_shape(fake: Any, services_with: Make, answer: Any) -> None:
    fake.says(answer)
    with pytest.raises(ProviderError, match="Qdrant"):
        await vector_db.search(services_with(), QdrantConnection("k", fake.url, name="q"), [1], collection_name="c")
