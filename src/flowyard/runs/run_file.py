"""``run.yaml``: a run described in a file, and what a command puts over it.

The form is prompt flow's, so unknown keys are kept out with a warning. Paths in the file are relative to it; a path
that a command gives is looked for in the working directory first, then beside the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names, missing_file_hint
from flowyard._util.yamlfile import YamlFile, read_yaml
from flowyard.errors import UserError
from flowyard.flows.variants import parse_selection
from flowyard.llm.cache.block import CacheBlock, parse_cache_block
from flowyard.llm.envfile import read_env
from flowyard.llm.pacing import RateLimit, read_limits
from flowyard.runs.dataset import DataSource, data_exists, data_source
from flowyard.runs.options import RunOptions
from flowyard.runs.run import RunRequest

__all__ = ["READ_KEYS", "RUN_KEYS", "RunDescription", "read_run_file"]

_CLOUD = ("identity", "resources", "runtime")
_IGNORED = ("$schema", "type")
READ_KEYS: Mapping[str, tuple[type, ...]] = {
    "cache": (dict, str, bool),
    "column_mapping": (dict,),
    "connections": (dict,),
    "data": (str,),
    "description": (str,),
    "display_name": (str,),
    "environment_variables": (dict, str),
    "flow": (str,),
    "init": (dict, str),
    "limits": (dict,),
    "name": (str,),
    "parameters": (dict,),
    "properties": (dict,),
    "resume_from": (str,),
    "run": (str,),
    "tags": (dict,),
    "variant": (str,),
}
RUN_KEYS = (*READ_KEYS, *_CLOUD, "status")
"""Every key of ``run.yaml`` that is known."""


@dataclass(frozen=True, slots=True)
class RunDescription:
    """The keys of a run, from a file, from a command or from both; ``warnings`` are for a person to read once."""

    values: Mapping[str, Any] = field(default_factory=dict)
    file: YamlFile | None = None
    given: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()

    def over(self, values: Mapping[str, Any]) -> RunDescription:
        """This description with what a command gave over it; None and empty values leave a key as it is."""
        given = {key: value for key, value in values.items() if value not in (None, {}, "")}
        return RunDescription({**self.values, **given}, self.file, self.given | set(given), self.warnings)

    def setting(self, pairs: Mapping[str, str]) -> RunDescription:
        """This description with ``key=value`` or ``key.inner=value`` set. Raises UserError for an unknown key."""
        values = dict(self.values)
        for path, value in pairs.items():
            key, dot, inner = path.partition(".")
            if key not in RUN_KEYS:
                raise UserError(f"--set {path}: a run has no {key!r}.", hint=_near(key))
            values[key] = _put(values.get(key), inner.split("."), value) if dot else value
        return RunDescription(values, self.file, self.given | {key.split(".")[0] for key in pairs}, self.warnings)

    def request(self, *, options: RunOptions) -> RunRequest:
        """The request, checked. Raises UserError."""
        self.require_kinds()
        if "flow" not in self.values:
            where = self.file.where() if self.file else None
            hint = "Give --flow PATH, or 'flow:' in the run's file."
            raise UserError("There is no flow to run.", hint=hint, where=where)
        base_run = self._text("run")
        return RunRequest(
            flow=self.path("flow"),
            data=self.data(),
            column_mapping=dict(self.values.get("column_mapping") or {}),
            variant=dict([parse_selection(self.values["variant"])]) if self.values.get("variant") else {},
            base_run=base_run,
            role="evaluation" if base_run else "run",
            options=options,
            init=self.init(),
            environment_variables=self.environment_variables(),
            connections=self._connections(),
            parameters=dict(self.values.get("parameters") or {}),
            properties=dict(self.values.get("properties") or {}),
            **self.labels(),
        )

    def labels(self) -> dict[str, Any]:
        """Name, display name, description and tags: what a resumed run may have of its own."""
        tags = {str(key): str(value) for key, value in (self.values.get("tags") or {}).items()}
        return {**{key: self._text(key) for key in ("name", "display_name", "description")}, "tags": tags}

    def environment_variables(self) -> dict[str, Any]:
        """The variables, read from their ``.env`` file when a path is given."""
        value = self.values.get("environment_variables") or {}
        return dict(value) if isinstance(value, Mapping) else dict(read_env(self.path("environment_variables")))

    def init(self) -> dict[str, Any]:
        """The init values, read from their JSON file when a path is given."""
        value = self.values.get("init") or {}
        return dict(value) if isinstance(value, Mapping) else _read_json_object(self.path("init"))

    def cache(self) -> CacheBlock:
        """What the run says about kept answers. Raises UserError."""
        return parse_cache_block(self.values.get("cache"), self._where("cache"))

    def limits(self) -> dict[str, RateLimit]:
        """The limits of connections. Raises UserError."""
        return read_limits(self.values.get("limits") or {}, self._where("limits"))

    def path(self, key: str) -> Path:
        """The path that a key holds."""
        written = Path(self.values[key]).expanduser()
        if self.file is None or (key in self.given and written.exists()):
            return written
        return self.file.path.parent / written

    def data(self) -> DataSource | None:
        """Where the data is, None when nothing says it; what is no URL is found as other paths are."""
        if "data" not in self.values:
            return None
        written = data_source(self.values["data"])
        if self.file is None or isinstance(written, str) or ("data" in self.given and data_exists(written)):
            return written
        return self.file.path.parent / written

    def _text(self, key: str) -> str | None:
        value = self.values.get(key)
        return None if value is None else str(value)

    def _connections(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for node, fields in (self.values.get("connections") or {}).items():
            if not isinstance(fields, Mapping):
                raise UserError(
                    f"connections.{node} is a {type(fields).__name__}, not a mapping.",
                    hint=f"Write --connections {node}.connection=NAME",
                    where=self._where("connections", str(node)),
                )
            found[str(node)] = {str(name): str(value) for name, value in fields.items()}
        return found

    def require_kinds(self) -> None:
        """Raises UserError when a key holds the wrong kind of value; the value may be secret and is not shown."""
        for key, kinds in READ_KEYS.items():
            value = self.values.get(key)
            number = str in kinds and type(value) in (int, float)  # a name such as 2024 is a number to YAML
            if value is not None and not isinstance(value, kinds) and not number:
                wanted = " or ".join("a mapping" if one is dict else "text" for one in kinds if one is not bool)
                message = f"{key!r} of the run is a {type(value).__name__}, not {wanted}."
                raise UserError(message, where=self._where(key))

    def _where(self, *keys: str) -> str | None:
        return self.file.where(*keys) if self.file and keys[0] not in self.given else None


def read_run_file(path: Path) -> RunDescription:
    """Read a ``run.yaml``. Raises UserError with file:line; unknown keys are warned of."""
    file = read_yaml(path)
    if not isinstance(file.data, dict) or not file.data:
        raise UserError(
            f"{path} does not describe a run.", hint="It needs flow: and data: or run:.", where=file.where()
        )
    values = {str(key): value for key, value in file.data.items()}
    known = {key: value for key, value in values.items() if key in READ_KEYS}
    return RunDescription(known, file, frozenset(), tuple(_warnings(file, values)))


def _warnings(file: YamlFile, values: Mapping[str, Any]) -> Iterable[str]:
    for key in values:
        if key in _CLOUD:
            yield f"{file.where(key)}: {key!r} is for runs in the cloud and does nothing here."
        elif key not in RUN_KEYS and key not in _IGNORED:
            yield f"{file.where(key)}: unknown key {key!r} is ignored. {_near(key)}"


def _near(key: str) -> str:
    return did_you_mean(key, RUN_KEYS) or f"Known keys: {known_names(RUN_KEYS, most=20)}."


def _put(current: Any, keys: list[str], value: str) -> dict[str, Any]:
    """``current`` as a mapping with the value at the inner key; what was no mapping is replaced."""
    inner = dict(current) if isinstance(current, Mapping) else {}
    inner[keys[0]] = _put(inner.get(keys[0]), keys[1:], value) if len(keys) > 1 else value
    return inner


def _read_json_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UserError(f"File not found: {path}", hint=missing_file_hint(path)) from None
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON: {error}.") from None
    if not isinstance(value, dict):
        raise UserError(f"{path} holds a JSON {type(value).__name__}, not an object.")
    return value
