"""Where each value of an experiment comes from: its file or the overlay of an environment, with the line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard._util.redact import HIDDEN, may_be_secret
from flowyard._util.yamlfile import YamlFile, read_yaml
from flowyard.experiments.load import find_experiment_file, find_overlay_file
from flowyard.experiments.schema import IGNORED_IN_OVERLAYS

__all__ = ["Origin", "merged_blocks"]


_SECRET = re.compile(r"(?i)key|secret|token|passw|pwd|credential|sig")
_PLAIN = frozenset({"name", "type", "connection_type", "api_type", "api_base", "base_url", "endpoint"})
_PLAIN |= {"azure_endpoint", "api_version", "organization", "auth_mode", "resource_id", "rules", "seed"}
_PLAIN |= {"custom_type", "module", "package"}
_PLACEHOLDER = re.compile(r"^\$\{[^{}]*\}$")


@dataclass(frozen=True, slots=True)
class Origin:
    """A value of the merged experiment. ``keys`` are its place, ``where`` the ``file:line`` that it comes from."""

    keys: tuple[str | int, ...]
    value: Any
    where: str


def merged_blocks(path: Path, env: str | None) -> tuple[dict[str, Any], list[Origin]]:
    """The merged file as it is written, and each of its single values with its origin.

    Values that may be secret are hidden. A block of the overlay takes the place of the whole block; an empty one clears
    it. Raises UserError.
    """
    base = read_yaml(find_experiment_file(path))
    blocks: dict[str, tuple[Any, YamlFile]] = {key: (value, base) for key, value in _mapping(base).items()}
    if env:
        overlay = read_yaml(find_overlay_file(base.path, env))
        for key, value in _mapping(overlay).items():
            if key not in IGNORED_IN_OVERLAYS:
                blocks[key] = (value, overlay)
    shown = {key: (_without_secrets((key,), value), file) for key, (value, file) in blocks.items()}
    merged = {key: value for key, (value, _) in shown.items()}
    return merged, [origin for key, (value, file) in shown.items() for origin in _leaves((key,), value, file)]


def _mapping(file: YamlFile) -> dict[str, Any]:
    return {str(key): value for key, value in file.data.items()} if isinstance(file.data, Mapping) else {}


def _without_secrets(keys: tuple[str | int, ...], value: Any) -> Any:
    """The value with what may be a key hidden, of a connection or among options; a placeholder for one is shown."""
    if isinstance(value, Mapping):
        return {str(key): _without_secrets((*keys, str(key)), item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets((*keys, index), item) for index, item in enumerate(value)]
    is_secret = any(may_be_secret(str(key)) for key in keys[1:])
    is_secret = is_secret or (keys[0] == "connections" and _may_be_key(keys[2:]))
    return HIDDEN if is_secret and value and not _PLACEHOLDER.match(str(value)) else value


def _may_be_key(keys: tuple[str | int, ...]) -> bool:
    """Whether a field of a connection may be secret: one that is none of the plain ones, misspelt ones included."""
    plain = bool(keys) and (keys[0] == "configs" or keys[0] in _PLAIN)
    return not plain or any(_SECRET.search(str(key)) for key in keys[1:])


def _leaves(keys: tuple[str | int, ...], value: Any, file: YamlFile) -> Iterator[Origin]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves((*keys, str(key)), item, file)
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _leaves((*keys, index), item, file)
    else:
        yield Origin(keys, value, file.where(*keys))
