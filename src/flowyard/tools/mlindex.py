"""The description of a search index that the index tools take: where it is and how its texts were embedded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard._util.yamlfile import parse_yaml
from flowyard.errors import UserError

__all__ = ["INDEX_KINDS", "MLIndex", "parse_mlindex"]

INDEX_KINDS = ("acs", "faiss")
_EMBEDDING_KINDS = ("open_ai", "none")
_WORKSPACE = "workspace_connection"


@dataclass(frozen=True, slots=True)
class MLIndex:
    """A search index. ``embedding_connection`` is None when its texts were not embedded.

    ``fields`` says which field of a document is its ``content``, ``embedding``, ``metadata`` and so on. ``index`` is
    its name in the service behind ``connection``, ``path`` the folder of an index on disk.
    """

    kind: str
    embedding_connection: str | None = None
    embedding_model: str = ""
    connection: str | None = None
    index: str = ""
    path: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    semantic_configuration: str | None = None


def parse_mlindex(text: str, label: str) -> MLIndex:
    """Read the YAML; ``label`` names it in errors. Raises UserError with its line."""
    file = parse_yaml(text, Path(label))
    data = file.data if isinstance(file.data, Mapping) else {}
    index = data.get("index")
    if not isinstance(index, Mapping):
        raise UserError("The description of an index needs an 'index' mapping with its kind.", where=f"{label}:1")
    kind = str(index.get("kind"))
    if kind not in INDEX_KINDS:
        near = did_you_mean(kind, INDEX_KINDS) or f"Kinds that are: {known_names(INDEX_KINDS)}."
        raise UserError(f"An index of kind {kind!r} cannot be searched.", hint=near, where=file.where("index", "kind"))
    embeddings = data.get("embeddings") if isinstance(data.get("embeddings"), Mapping) else {}
    fields = index.get("field_mapping") if isinstance(index.get("field_mapping"), Mapping) else {}
    assert isinstance(embeddings, Mapping)
    assert isinstance(fields, Mapping)
    return MLIndex(
        kind=kind,
        embedding_connection=_embedding_connection(embeddings, file.where("embeddings")),
        embedding_model=str(embeddings.get("deployment") or embeddings.get("model") or ""),
        connection=_connection_name(index, file.where("index")) if kind == "acs" else None,
        index=str(index.get("index") or ""),
        path=str(index.get("path") or ""),
        fields={str(name): str(value) for name, value in fields.items() if value},
        semantic_configuration=index.get("semantic_configuration_name") or None,
    )


def _embedding_connection(embeddings: Mapping[str, Any], where: str) -> str | None:
    kind = str(embeddings.get("kind") or "none")
    if kind not in _EMBEDDING_KINDS:
        raise UserError(
            f"Texts cannot be embedded by {kind!r}.",
            hint=f"Kinds that can: {known_names(_EMBEDDING_KINDS)}.",
            where=where,
        )
    return None if kind == "none" else _connection_name(embeddings, where)


def _connection_name(part: Mapping[str, Any], where: str) -> str:
    """The last word of the connection's id in a workspace, which is the connection's name."""
    connection = part.get("connection")
    found = str(connection.get("id") or connection.get("name") or "") if isinstance(connection, Mapping) else ""
    if str(part.get("connection_type") or _WORKSPACE) != _WORKSPACE or not found:
        raise UserError(
            "The service is not named by a connection.",
            hint=f"Write connection_type: {_WORKSPACE} and connection: {{id: …/connections/NAME}}.",
            where=where,
        )
    return found.rstrip("/").rpartition("/")[2].strip()
