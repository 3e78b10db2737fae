"""Which model to ask and where: the two model configurations that flow code and prompties pass around.

A configuration either names a ``connection`` or says address and key itself, never both. ``repr`` hides the key.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import UserError
from flowyard.llm.connection import AzureOpenAIConnection, Connection, OpenAIConnection, SimulatedConnection

__all__ = [
    "MODEL_CONFIGURATIONS",
    "AzureOpenAIModelConfiguration",
    "ModelConfiguration",
    "OpenAIModelConfiguration",
]


class ModelConfiguration(ABC):
    """Base of both; the engine tells by it which parameters to expand from a mapping."""

    TYPE: ClassVar[str] = ""
    """The type of connection behind it."""
    MODEL: ClassVar[str] = ""
    """The field that names the model."""
    OWN: ClassVar[tuple[str, ...]] = ()
    """The fields that a connection would give, by which it is excluded."""

    connection: str | Connection | None

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """A configuration from its fields by name. Raises UserError naming unknown and missing ones, no values."""
        known = (cls.MODEL, *cls.OWN, "connection")
        for name in values:
            if name not in known:
                near = did_you_mean(str(name), known) or f"It has: {known_names(known)}."
                raise UserError(f"{cls.__name__} has no field {name!r}.", hint=near)
        if not values.get(cls.MODEL):
            raise UserError(f"{cls.__name__} needs {cls.MODEL!r}.")
        return cls(**values)

    def as_front_matter(self) -> dict[str, Any]:
        """What a prompty's ``model.configuration`` says to mean the same; ``connection`` may be an object there."""
        given = {name: getattr(self, name) for name in (self.MODEL, *self.OWN, "connection")}
        return {"type": self.TYPE, **{name: value for name, value in given.items() if value is not None}}

    @abstractmethod
    def with_connection(self, connection: Connection) -> Self:
        """This configuration with what the connection says in place of the connection's name.

        A simulated connection has neither address nor key, so it stays as it is. Raises UserError for another type.
        """

    def _require_one_way(self) -> None:
        given = [name for name in self.OWN if getattr(self, name)]
        if self.connection is not None and given:
            raise UserError(
                f"{type(self).__name__} has a connection and also sets {known_names(given)}.",
                hint="Name a connection, or say address and key, not both.",
            )


@dataclass
class AzureOpenAIModelConfiguration(ModelConfiguration):
    """A deployment of an Azure OpenAI resource."""

    TYPE: ClassVar[str] = AzureOpenAIConnection.TYPE
    MODEL: ClassVar[str] = "azure_deployment"
    OWN: ClassVar[tuple[str, ...]] = ("azure_endpoint", "api_key", "api_version")

    azure_deployment: str
    azure_endpoint: str | None = None
    api_version: str | None = None
    api_key: str | None = field(default=None, repr=False)
    connection: str | Connection | None = None

    def __post_init__(self) -> None:
        self._require_one_way()

    @classmethod
    def from_connection(cls, connection: Connection, azure_deployment: str) -> Self:
        """A deployment behind an AzureOpenAIConnection."""
        if not isinstance(connection, AzureOpenAIConnection):
            raise UserError(f"{cls.__name__} needs an AzureOpenAIConnection, not {_described(connection)}.")
        return cls(
            azure_deployment,
            azure_endpoint=connection.api_base,
            api_version=connection.api_version,
            api_key=connection.api_key,
        )

    def with_connection(self, connection: Connection) -> Self:
        if isinstance(connection, SimulatedConnection):
            return replace(self.from_mapping({self.MODEL: getattr(self, self.MODEL)}), connection=connection)
        return self.from_connection(connection, self.azure_deployment)


@dataclass
class OpenAIModelConfiguration(ModelConfiguration):
    """A model of OpenAI, or of a server that speaks its protocol."""

    TYPE: ClassVar[str] = OpenAIConnection.TYPE
    MODEL: ClassVar[str] = "model"
    OWN: ClassVar[tuple[str, ...]] = ("base_url", "api_key", "organization")

    model: str
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    organization: str | None = None
    connection: str | Connection | None = None

    def __post_init__(self) -> None:
        self._require_one_way()

    @classmethod
    def from_connection(cls, connection: Connection, model: str) -> Self:
        """A model behind an OpenAIConnection."""
        if not isinstance(connection, OpenAIConnection):
            raise UserError(f"{cls.__name__} needs an OpenAIConnection, not {_described(connection)}.")
        return cls(
            model, base_url=connection.base_url, api_key=connection.api_key, organization=connection.organization
        )

    def with_connection(self, connection: Connection) -> Self:
        if isinstance(connection, SimulatedConnection):
            return replace(self.from_mapping({self.MODEL: getattr(self, self.MODEL)}), connection=connection)
        return self.from_connection(connection, self.model)


MODEL_CONFIGURATIONS: Mapping[str, type[ModelConfiguration]] = {
    each.__name__: each for each in (AzureOpenAIModelConfiguration, OpenAIModelConfiguration)
}
"""Both classes by the names that flow files and annotations use."""


def _described(connection: Connection) -> str:
    return f"{type(connection).__name__} {connection.name!r}" if connection.name else type(connection).__name__
