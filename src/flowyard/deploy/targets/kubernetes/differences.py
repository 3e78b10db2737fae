"""What differs between an object as it is and as it would be, for people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from flowyard._util.printable import printable_text
from flowyard.deploy.model import Change
from flowyard.deploy.targets.kubernetes.manifests import Manifest

__all__ = ["object_changes"]

_OF_THE_CLUSTER = frozenset({"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"})
_SHOWN = 200


def object_changes(before: Manifest | None, after: Manifest) -> list[Change]:
    """One change for an object that is not there yet, else one for each field; what the cluster sets is left out."""
    shown = f"{after['kind']} {after['metadata']['name']}"
    if before is None:
        return [Change(shown, None, "made")]
    fields = _differences(_plain(before), _plain(after), ())
    return [Change(f"{shown}: {place}", _text(old), _text(new)) for place, old, new in fields]


def _plain(found: Manifest) -> Manifest:
    kept = {key: value for key, value in found["metadata"].items() if key not in _OF_THE_CLUSTER}
    return {**{key: value for key, value in found.items() if key != "status"}, "metadata": kept}


def _differences(before: Any, after: Any, place: tuple[str, ...]) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            yield from _differences(before.get(key), after.get(key), (*place, str(key)))
    elif before != after:
        yield ".".join(place), before, after


def _text(value: Any) -> str | None:
    return None if value is None else printable_text(json.dumps(value, ensure_ascii=False))[:_SHOWN]
