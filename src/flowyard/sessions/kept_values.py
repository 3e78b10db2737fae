"""What aggregation reads of lines, on its way from one worker of a flow to another."""

from __future__ import annotations

import io
import json
import pickle
from typing import Any

from flowyard._util.files import dump_json
from flowyard.engine.code import NodeClass, find_class, node_class

__all__ = ["Kept", "pickled", "unpickled"]

Kept = list[tuple[int, Any]]
"""What was picked from lines, by their numbers."""


def pickled(kept: Kept) -> bytes:
    """The values as bytes, to be called as the flow's code; those that refuse become what JSON says of them."""
    try:
        return _dumped(kept)
    except Exception:  # any object of user code may refuse
        return _dumped([(number, _plainer(picked)) for number, picked in kept])


def unpickled(data: bytes) -> Kept:
    """The inverse of ``pickled``, in another process that prepared the same flow."""
    kept: Kept = _Unpickler(io.BytesIO(data)).load()
    return kept


def _plainer(picked: Any) -> Any:
    try:
        _dumped(picked)
    except Exception:  # see above
        return json.loads(dump_json(picked))
    return picked


def _dumped(value: Any) -> bytes:
    file = io.BytesIO()
    _Pickler(file, pickle.HIGHEST_PROTOCOL).dump(value)
    return file.getvalue()


class _Pickler(pickle.Pickler):
    """Knows the classes that the files of nodes define, which are in no module that could be imported."""

    def persistent_id(self, value: Any) -> NodeClass | None:
        return node_class(value)


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, place: NodeClass) -> type:
        return find_class(place)
