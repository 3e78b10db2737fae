"""All places that know connections as one.

The first source that knows a name wins. Single fields in the environment (``<NAME>_<FIELD>``) are laid over a
connection that another source declares; alone they make a connection; over a simulated one they replace it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.abc import ConnectionSource
from flowyard.errors import ConnectionMissing
from flowyard.llm.connection import Connection, SimulatedConnection
from flowyard.llm.connection_parsing import connection_class
from flowyard.llm.sources import EnvironmentSource, YamlSource, variable_of

__all__ = ["Connections", "FoundConnection"]


@dataclass(frozen=True, slots=True)
class FoundConnection:
    """A connection and where it came from, for example ``environment`` or the path of a file."""

    connection: Connection
    origin: str


class Connections:
    """All sources as one; the first that knows a name wins."""

    def __init__(self, sources: Sequence[ConnectionSource]) -> None:
        self.sources = tuple(sources)
        self._given: list[Connection] = []
        self._hidden: dict[str, None] = {}

    def secrets(self) -> list[str]:
        """Every secret of the connections that were handed out, and what is to be hidden beside them, for redaction."""
        return [*(secret for connection in self._given for secret in connection.secret_values()), *self._hidden]

    def hide(self, secrets: Iterable[str]) -> None:
        """Count these as secrets, too."""
        self._hidden.update(dict.fromkeys(secrets))

    def given(self) -> list[Connection]:
        """The connections that were handed out, each once, in the order of their first use."""
        return list({connection.name: connection for connection in self._given}.values())

    @property
    def has_simulated(self) -> bool:
        """Whether a simulated model was handed out, so that what it answers can be marked."""
        return any(isinstance(connection, SimulatedConnection) for connection in self._given)

    def names(self) -> list[str]:
        """Every name that is known for certain, without repeats."""
        return list(dict.fromkeys(name for source in self.sources for name in source.names()))

    def get(
        self,
        name: str,
        *,
        needed_by: str,
        kinds: Sequence[type[Connection]] = (),  # noqa: ARG002 - for stand-ins in a replay
    ) -> Connection:
        """The connection of that name.

        ``needed_by`` starts the error's sentence, for example ``Node 'classify' (flow.dag.yaml:12)``, and ``kinds`` are
        the classes it may have there. Raises ConnectionMissing when no source knows the name and UserError when a
        source has it malformed.
        """
        found = self.find(name)
        if found is None:
            raise self._missing(name, needed_by)
        return self._hand_out(found.connection)

    def adopt(self, name: str, make: Callable[[], Connection]) -> Connection:
        """A connection that is declared outside of the sources, for example inside a prompty, as calls must use it.

        ``make`` gives it, unless a source overrules every connection; ``name`` is the name it then goes by. Its secrets
        count as handed out. Raises what ``make`` raises.
        """
        overruled = next((source.find(name) for source in self.sources if source.overrules), None)
        return self._hand_out(overruled or make())

    def variable(self, name: str) -> str | None:
        """An environment variable of the process or of an ``.env`` file that is read; None when it is not set."""
        environments = [source.environ for source in self.sources if isinstance(source, EnvironmentSource)]
        values = (environ.get(name) for environ in (os.environ, *environments))
        return next((value for value in values if value), None)

    def _hand_out(self, connection: Connection) -> Connection:
        if connection not in self._given:
            self._given.append(connection)
        return connection

    def find(self, name: str) -> FoundConnection | None:
        """The connection of that name and its origin, or None. Raises UserError when a source has it malformed.

        A variable of that name may hold the name of the connection to take in its place, as deployments of Azure ML
        have it: ``${{azureml://connections/NAME}}``, or the name alone, if there is a connection of it.
        """
        environments = [source for source in self.sources if isinstance(source, EnvironmentSource)]
        environment = _joined(environments)
        other = environment.find_other(name)
        if other is not None and other != name:
            return self._in_place_of(name, self._find(other), environment)
        plain = environment.find_plain(name)
        if plain is not None and plain != name and (found := self._find(plain)) is not None:
            return self._in_place_of(name, found, environment)
        return self._find(name)

    @staticmethod
    def _in_place_of(
        name: str, found: FoundConnection | None, environment: EnvironmentSource
    ) -> FoundConnection | None:
        """Another connection, with the fields that variables of this name put over it."""
        return found if found is None else _overlaid(found, name, environment)

    def _find(self, name: str) -> FoundConnection | None:
        environments: list[EnvironmentSource] = []
        for source in self.sources:
            if isinstance(source, EnvironmentSource):
                environments.append(source)
                found = source.find_whole(name)
            else:
                found = _find_declared(source, name, _joined(environments))
            if found is not None:
                return _overlaid(FoundConnection(found, source.origin(name)), name, _joined(environments))
        alone = _joined(environments)
        made = alone.find_fields(name)
        return FoundConnection(made, alone.label) if made is not None else None

    def origins(self, name: str) -> list[str]:
        """The origins that know the name for certain, the one that counts first."""
        return [source.origin(name) for source in self.sources if name in source.names()]

    def _missing(self, name: str, needed_by: str) -> ConnectionMissing:
        known = self.names()
        variable = variable_of(name).upper()
        near = did_you_mean(name, known)
        hint = [
            *([near] if near else [f"Known connections: {known_names(known)}."] if known else []),
            f"For OpenAI: export {variable}_API_KEY=…  (for Azure OpenAI also {variable}_API_BASE=https://… and "
            f"{variable}_TYPE=azure_open_ai)",
            f"""or as JSON: export {variable}='{{"type": "azure_open_ai", "api_key": "…", "api_base": "https://…"}}'""",
            f"or stored, encrypted: flowyard connection create -n '{name}' --file CONNECTION.yaml",
            "To go on without a key: --simulate RULES.yaml",
        ]
        return ConnectionMissing(f"{needed_by} needs the connection {name!r}, which is not set.", hint="\n".join(hint))


def _joined(environments: Sequence[EnvironmentSource]) -> EnvironmentSource:
    """Several environments as one; a variable of an earlier one wins."""
    label = ", ".join(environment.label for environment in environments)
    folder = next((environment.folder for environment in environments if environment.folder), None)
    variables = {key: value for each in reversed(environments) for key, value in each.environ.items() if value}
    return EnvironmentSource(variables, label, folder)


def _find_declared(source: ConnectionSource, name: str, environment: EnvironmentSource) -> Connection | None:
    if isinstance(source, YamlSource):
        return source.find_with(name, environment.fields(name, source.declared_fields(name)))
    return source.find(name)


def _overlaid(found: FoundConnection, name: str, environment: EnvironmentSource) -> FoundConnection:
    given = environment.fields(name)
    kind = connection_class(given.get("type", ""))
    declared = found.connection
    other_kind = kind is not None and declared.type != kind.TYPE
    if other_kind or (isinstance(declared, SimulatedConnection) and {"api_key", "base_url"} & given.keys()):
        made = environment.find_fields(name)
        return FoundConnection(made, environment.label) if made is not None else found
    aliased = {declared.ALIASES.get(field, field): value for field, value in given.items()}
    own = {field: value for field, value in aliased.items() if field in declared}
    own.update(environment.fields(name, declared.keys()))
    if not own:
        return found
    return FoundConnection(declared.with_fields(own), f"{found.origin}, over it: {environment.label}")
