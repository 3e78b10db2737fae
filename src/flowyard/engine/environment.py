"""The ``environment_variables`` of a flow, set for its code while it is prepared and run."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from flowyard._util.files import dump_json
from flowyard.errors import UserError
from flowyard.flows.model import Flow
from flowyard.llm.sources import Connections

__all__ = ["FlowEnvironment", "resolve_variables"]

_CONNECTION_KEY = re.compile(r"^\$\{([^.{}]+)\.([^.{}]+)\}$")


def resolve_variables(flow: Flow, connections: Connections) -> dict[str, str]:
    """The flow's variables as text; ``${connection.key}`` becomes that field. Raises UserError, ConnectionMissing."""
    return {name: _text(name, value, flow, connections) for name, value in flow.environment_variables.items()}


def _text(name: str, value: Any, flow: Flow, connections: Connections) -> str:
    match = _CONNECTION_KEY.match(value) if isinstance(value, str) else None
    if match is None:
        return value if isinstance(value, str) else dump_json(value)
    needed_by = f"The environment variable {name!r} of {flow.file.name}"
    found = connections.get(match[1], needed_by=needed_by)
    if match[2] not in found:
        raise UserError(f"{needed_by} reads {value}, but connection {match[1]!r} has no field {match[2]!r}.")
    return str(found[match[2]])


class FlowEnvironment:
    """Sets variables of this process and puts back what was there before."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)

    def restore(self) -> None:
        """Put the earlier values back; safe to call again."""
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._before = {}
