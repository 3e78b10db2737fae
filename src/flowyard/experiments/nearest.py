"""The connections that the experiment around a flow declares, for commands that are given the flow alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from flowyard._util.yamlfile import YamlFile, read_yaml
from flowyard.abc import ConnectionSource
from flowyard.errors import UserError
from flowyard.experiments.connections import DeclaredConnection, ExperimentConnections
from flowyard.llm import Connection
from flowyard.settings import project_root

__all__ = ["NearestExperiment"]


@dataclass(frozen=True)
class _Declarations:
    folder: Path
    connections: tuple[DeclaredConnection, ...]


class NearestExperiment(ConnectionSource):
    """The connections of the ``experiment.yaml`` in ``folder`` or the nearest folder above it, within the project.

    Of a registered version, which lies in ``home``, that is none: what is checked out above is of another time.
    Read when a connection is first looked for; a file that is no experiment has none: what is wrong in it, the
    commands of experiments say.
    """

    label = "experiment.yaml"

    def __init__(self, folder: Path, home: Path, environ: Mapping[str, str]) -> None:
        self._start = folder
        self._home = home
        self._environ = environ

    def find(self, name: str) -> Connection | None:
        return self._found.find(name)

    def names(self) -> Iterable[str]:
        return self._found.names()

    def declared_type(self, name: str) -> str | None:
        return self._found.declared_type(name)

    @cached_property
    def _found(self) -> ExperimentConnections:
        file = self._file()
        declared = tuple(_declared(file)) if file is not None else ()
        return ExperimentConnections(
            _Declarations(self._start if file is None else file.path.parent, declared), self._environ
        )

    def _file(self) -> YamlFile | None:
        root = project_root(self._start)
        for folder in (self._start, *self._start.parents):
            if (folder / "experiment.yaml").is_file():
                try:
                    return read_yaml(folder / "experiment.yaml")
                except UserError:
                    return None
            if root is None or folder in (root, self._home):
                return None
        return None


def _declared(file: YamlFile) -> Iterable[DeclaredConnection]:
    listed = file.data.get("connections") if isinstance(file.data, Mapping) else None
    for index, item in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(item, Mapping) and isinstance(item.get("name"), str):
            fields = {"type": item.get("connection_type"), **item}
            del fields["name"]
            fields.pop("connection_type", None)
            yield DeclaredConnection(item["name"], fields, file.where("connections", index))
