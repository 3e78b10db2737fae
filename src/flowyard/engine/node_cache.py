"""Results of python nodes that ask to be kept: the same code with the same inputs is not run again.

A node asks with ``enable_cache: true`` in the flow's file, or a run asks for it by name. What the node reads besides
its inputs (files, services, the clock) is not part of the key, which is why it has to ask.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from flowyard._util.suggest import did_you_mean
from flowyard.flows.model import DagFlow, Literal, Node
from flowyard.llm.cache.kept_file import KeptFile, open_kept
from flowyard.llm.cache.rules import CacheRules
from flowyard.llm.connection import Connection
from flowyard.llm.providers import ProviderOpener
from flowyard.llm.services import Services
from flowyard.records import NodeResult, Usage

__all__ = ["NodeCache"]

_FORM = 1
"""Changes with the form of what is stored."""

_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})


class NodeCache:
    """The kept results of one prepared flow; with no rules for a cache it keeps nothing. Close it when done."""

    def __init__(self, flow: DagFlow, services: Services) -> None:
        opener = services.open_provider
        self._rules: CacheRules | None = opener.rules.cache if isinstance(opener, ProviderOpener) else None
        self._flow = flow
        self._services = services
        self._of_node: dict[str, str] = {}
        asked = [node for node in flow.nodes if self._asks(node)]
        self._nodes = frozenset(node.name for node in asked if _unfit(node) is None)
        self.warnings = tuple(self._warnings(asked))
        self._file: KeptFile | None = None
        if self._rules is not None and self._nodes:
            self._file = open_kept(self._rules.file, self._rules.most_bytes)

    def key(self, node: Node, values: Mapping[str, Any]) -> bytes | None:
        """What the node's result is kept under; None when it did not ask, or an input is no JSON value."""
        if self._file is None or node.name not in self._nodes:
            return None
        try:
            inputs = {name: _canonical(values[name]) for name in sorted(values)}
        except TypeError:
            return None
        if node.name not in self._of_node:
            self._of_node[node.name] = self._digest_of(node)
        text = json.dumps([_FORM, self._of_node[node.name], inputs], separators=(",", ":"))
        return hashlib.sha256(text.encode()).digest()

    def get(self, node: Node, key: bytes) -> NodeResult | None:
        """The kept result: its output, and as usage the model calls that it spares."""
        if self._file is None or self._rules is None or self._rules.mode == "refresh":
            return None
        data = self._file.get(key)
        try:
            found = None if data is None else json.loads(data)
            return None if found is None else NodeResult(node.name, "completed", found["output"], usage=_spared(found))
        except (ValueError, KeyError, TypeError):
            return None

    def put(self, node: Node, key: bytes, result: NodeResult) -> None:
        """Keep a result that is completed and is a JSON value; answers of simulated models are not kept."""
        if self._file is None or result.status != "completed" or result.usage.simulated_calls:
            return
        try:
            _canonical(result.output)
        except TypeError:
            return
        usage = result.usage
        spares = {
            "calls": usage.calls + usage.cached_calls,
            "cost_usd": usage.cost_usd + usage.saved_usd,
        }
        self._file.put(key, json.dumps({"output": result.output, **spares}).encode(), f"node {node.name}")

    def close(self) -> None:
        """Write what is on its way; safe to call again."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _asks(self, node: Node) -> bool:
        if self._rules is None or node.name in self._rules.off:
            return False
        return node.name in self._rules.nodes or (node.cache is True and _unfit(node) is None)

    def _warnings(self, asked: list[Node]) -> Iterator[str]:
        for node in asked:
            why = _unfit(node)
            if why is not None:
                yield f"{node.where}: the results of node {node.name!r} are not kept: {why}."
        names = [node.name for node in self._flow.nodes]
        for name in sorted((self._rules.nodes | self._rules.off) - set(names)) if self._rules else ():
            near = did_you_mean(name, names)
            if near:  # a run of several flows names nodes of any of them
                yield f"{self._flow.file.name}: the cache is told of a node {name!r}, which is not there. {near}"

    def _digest_of(self, node: Node) -> str:
        """The digest of all that makes the node's code what it is, but for its inputs."""
        literals = [value.value for value in node.inputs.values() if isinstance(value, Literal)]
        named = [
            _identity(connection)
            for connection in self._services.connections.given()
            if any(connection.name == each for each in literals)
        ]
        parts = [
            sys.version_info[:2],
            node.source_path,
            self._code_digest,
            [str(literal) for literal in literals],
            named,
            {str(name): str(value) for name, value in self._flow.environment_variables.items()},
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    @cached_property
    def _code_digest(self) -> str:
        """The digest of every Python file below the flow's folder."""
        digest = hashlib.sha256()
        for file in sorted(_python_files(self._flow.folder)):
            digest.update(f"{file.relative_to(self._flow.folder).as_posix()}\0".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()


def _unfit(node: Node) -> str | None:
    """Why a node's results cannot be kept; None when they can."""
    if node.type != "python" or node.source_path is None:
        return "it is no python node with a file in the flow, and its model calls are kept without asking"
    return "it aggregates, and what it logs would be missing" if node.aggregation else None


def _python_files(folder: Path) -> Iterator[Path]:
    for child in folder.iterdir():
        if child.name.startswith(".") or child.name in _SKIPPED:
            continue
        if child.is_dir() and not child.is_symlink():
            yield from _python_files(child)
        elif child.suffix == ".py" and child.is_file():
            yield child


def _canonical(value: Any) -> Any:
    """A value as JSON that is equal for equal values only. Raises TypeError for what JSON would change."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) is list:
        return [_canonical(item) for item in value]
    if type(value) is dict and all(type(name) is str for name in value):
        return {name: _canonical(item) for name, item in value.items()}
    if isinstance(value, Connection):
        return {"connection": _identity(value)}
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _identity(connection: Connection) -> list[Any]:
    """What a connection is, without its secrets."""
    configs = {str(name): str(value) for name, value in connection.configs.items()}
    return [connection.type, str(connection.name), sorted(configs.items())]


def _spared(found: Mapping[str, Any]) -> Usage:
    return Usage(cached_calls=int(found["calls"]), saved_usd=float(found["cost_usd"]))
