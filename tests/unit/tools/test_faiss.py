"""FAISS indexes on disk, in LangChain's form."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import faiss
import numpy
import pytest

from flowyard.errors import UserError
from flowyard.llm.connection import OpenAIConnection
from flowyard.llm.services import Services
from flowyard.tools import faiss_lookup, index_lookup
from flowyard.tools.docstore import StoredDocument, read_docstore

Make = Callable[..., Services]


@contextmanager
def langchain(document: type, module: str, store_module: str) -> Iterator[tuple[type, type]]:
    """Classes that pickle under LangChain's names, which are not importable afterwards."""

    class InMemoryDocstore:
        def __init__(self, texts: dict[str, Any]) -> None:
            self._dict = texts

    names = {}
    for name, kind in ((module, document), (store_module, InMemoryDocstore)):
        kind.__module__, kind.__qualname__ = name, kind.__name__
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            names.setdefault(".".join(parts[:end]), ModuleType(".".join(parts[:end])))
        setattr(names[name], kind.__name__, kind)
    sys.modules.update(names)
    try:
        yield document, InMemoryDocstore
    finally:
        for name in names:
            del sys.modules[name]


def plain_document() -> type:
    class Document:
        def __init__(self, page_content: str, metadata: Any) -> None:
            self.page_content = page_content
            self.metadata = metadata

    return Document


def pydantic_document() -> type:
    class Document:
        """Pickles as pydantic's models do: its fields one level down, beside a set of their names."""

        def __init__(self, page_content: str, metadata: Any) -> None:
            self.values = {"page_content": page_content, "metadata": metadata}

        def __getstate__(self) -> dict[str, Any]:
            return {"__dict__": self.values, "__fields_set__": {"page_content"}, "__private_attribute_values__": {}}

    return Document


def write_index(folder: Path, document: type, module: str, store_module: str, protocol: int = 4) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    index = faiss.IndexFlatL2(2)
    index.add(numpy.array([[0, 0], [1, 0], [5, 5]], dtype="float32"))
    faiss.write_index(index, str(folder / "index.faiss"))
    with langchain(document, module, store_module) as (made, store):
        texts = {f"id{n}": made(f"text {n}", {"n": n}) for n in range(3)}
        kept = (store(texts), {n: f"id{n}" for n in range(3)})
        (folder / "index.pkl").write_bytes(pickle.dumps(kept, protocol))


STORES = ("langchain.docstore.in_memory", "langchain_community.docstore.in_memory")


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize(
    ("make", "module", "store"),
    [
        (plain_document, "langchain.schema", STORES[0]),
        (pydantic_document, "langchain.docstore.document", STORES[0]),
        (pydantic_document, "langchain_core.documents.base", STORES[1]),
    ],
)
async def test_the_nearest_texts_with_their_distances(
    tmp_path: Path, make: Callable[[], type], module: str, store: str, protocol: int
) -> None:
    write_index(tmp_path / "index", make(), module, store, protocol)
    found = await faiss_lookup.search(tmp_path, "index", [1.0, 0.5], 2)
    assert [(item["text"], item["score"], item["metadata"]) for item in found] == [
        ("text 1", 0.25, {"n": 1}),
        ("text 0", 1.25, {"n": 0}),
    ]
    assert (found[0]["original_entity"], found[0]["vector"]) == (None, None)


async def test_more_than_there_are(tmp_path: Path) -> None:
    write_index(tmp_path / "i", plain_document(), "langchain.schema", STORES[0])
    assert len(await faiss_lookup.search(tmp_path, "i", [0, 0], 10)) == 3


async def test_an_index_that_changes_is_read_again(tmp_path: Path) -> None:
    write_index(tmp_path / "i", plain_document(), "langchain.schema", STORES[0])
    await faiss_lookup.search(tmp_path, "i", [0, 0], 1)
    (tmp_path / "i" / "index.pkl").write_bytes(b"broken")
    os.utime(tmp_path / "i" / "index.pkl", (1, 1))
    with pytest.raises(UserError, match="does not hold the texts"):
        await faiss_lookup.search(tmp_path, "i", [0, 0], 1)


async def test_an_index_described_for_index_lookup(fake: Any, services_with: Make, tmp_path: Path) -> None:
    write_index(tmp_path / "my index", plain_document(), "langchain.schema", STORES[0])
    fake.says({"data": [{"embedding": [5.0, 5.0]}]})
    services = services_with(OpenAIConnection("sk", base_url=fake.url, name="model"))
    embeddings = "embeddings: {kind: open_ai, model: ada, connection: {id: x/connections/model}}\n"
    text = embeddings + "index: {kind: faiss, engine: langchain.vectorstores.FAISS, path: my index}"
    found = await index_lookup.search(services, tmp_path, text, "question", "Vector", 1)
    assert found == [{"text": "text 2", "page_content": "text 2", "metadata": {"n": 2}, "score": 0.0}]


async def test_a_folder_that_describes_itself(services_with: Make, tmp_path: Path) -> None:
    write_index(tmp_path / "i", plain_document(), "langchain.schema", STORES[0])
    (tmp_path / "i" / "MLIndex").write_text("index: {kind: faiss, path: .}", "utf-8")
    found = await index_lookup.search_in(services_with(), tmp_path, "i", [5, 4.5], 1)
    assert [(item["text"], item["score"]) for item in found] == [("text 2", 0.25)]


class Boom:
    """What an attacker would pickle."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


def test_a_pickle_never_runs_what_it_names(tmp_path: Path) -> None:
    file = tmp_path / "index.pkl"
    file.write_bytes(pickle.dumps((Boom(tmp_path / "ran"), {0: "a"})))
    with pytest.raises(UserError, match=r"posix\.mkdir|nt\.mkdir"):
        read_docstore(file)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a pickle",
        pickle.dumps([1, 2]),
        pickle.dumps({"a": 1}),
        pickle.dumps(("x", {0: "a"})),
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cflowyard.tools.docstore\n_Record\n.",
        b"(S'x'\nPid\n.",
        pickle.dumps((1, 2))[:-3],
    ],
)
def test_files_that_hold_no_texts(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "index.pkl"
    file.write_bytes(data)
    with pytest.raises(UserError, match=r"index\.pkl"):
        read_docstore(file)


def test_a_vector_without_a_text(tmp_path: Path) -> None:
    with langchain(plain_document(), "langchain.schema", STORES[0]) as (document, store):
        kept = (store({"a": document("text", None)}), {0: "gone", 2: "a"})
        (tmp_path / "index.pkl").write_bytes(pickle.dumps(kept))
    assert read_docstore(tmp_path / "index.pkl") == [None, None, StoredDocument("text", {})]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("https://account.blob.core.windows.net/c/i", "not on this machine"),
        ("azureml://subscriptions/x", "not on this machine"),
        ("none", "no folder 'none'"),
        ("", "no folder ''"),
        ("empty", "index.faiss and index.pkl missing"),
    ],
)
async def test_paths_that_lead_to_no_index(tmp_path: Path, path: str, said: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=said):
        await faiss_lookup.search(tmp_path, path, [1, 2])


@pytest.mark.parametrize("vector", [[1.0], [1, 2, 3], ["a", "b"], "text", [], [[1, 2]]])
async def test_vectors_that_do_not_fit(tmp_path: Path, vector: Any) -> None:
    write_index(tmp_path / "i", plain_document(), "langchain.schema", STORES[0])
    with pytest.raises(UserError, match="vector to search for"):
        await faiss_lookup.search(tmp_path, "i", vector)


async def test_vectors_that_faiss_cannot_read(tmp_path: Path) -> None:
    write_index(tmp_path / "i", plain_document(), "langchain.schema", STORES[0])
    (tmp_path / "i" / "index.faiss").write_bytes(b"IxF2 no more")
    with pytest.raises(UserError, match="not an index that faiss can read"):
        await faiss_lookup.search(tmp_path, "i", [1, 2])
