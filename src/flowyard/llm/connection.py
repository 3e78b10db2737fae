"""The connection classes that user code sees: where a service is and the secrets to use it.

Fields are read as attributes (``conn.api_key``), items (``conn["api_key"]``) or through ``conn.configs`` and
``conn.secrets``; ``dict(conn)`` has them all. ``repr`` and ``str`` never show a secret. Constructors take prompt flow's
keyword arguments and, like prompt flow's, ignore keywords they do not know; ``parse_connection`` is the strict way in.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from flowyard.errors import UserError
from flowyard.llm.connection_base import TOKEN_AUTH, Connection, TokenConnection

__all__ = [
    "TOKEN_AUTH",
    "AzureAIServicesConnection",
    "AzureContentSafetyConnection",
    "AzureOpenAIConnection",
    "CognitiveSearchConnection",
    "Connection",
    "CustomConnection",
    "CustomStrongTypeConnection",
    "FormRecognizerConnection",
    "OpenAIConnection",
    "QdrantConnection",
    "SerpConnection",
    "ServerlessConnection",
    "SimulatedConnection",
    "WeaviateConnection",
    "as_declared",
]

Strong = TypeVar("Strong", bound="CustomStrongTypeConnection")


class AzureOpenAIConnection(TokenConnection):
    """Azure OpenAI: ``api_base`` is the resource's address, models are named by deployment."""

    TYPE = "azure_open_ai"
    FIELDS = ("api_base", "api_key", "api_type", "api_version", "auth_mode", "resource_id")
    REQUIRED = ("api_base", "api_key")
    ALIASES: ClassVar[Mapping[str, str]] = {"azure_endpoint": "api_base", "endpoint": "api_base"}
    MODEL = True

    def __init__(
        self,
        api_base: str | None = None,
        api_key: str | None = None,
        api_type: str = "azure",
        api_version: str | None = None,
        auth_mode: str | None = None,
        resource_id: str | None = None,
        *,
        name: str | None = None,
        **_ignored: Any,
    ) -> None:
        configs = {
            "api_base": api_base,
            "api_type": api_type,
            "api_version": api_version or "2024-02-01",
            "auth_mode": auth_mode or "key",
            "resource_id": resource_id,
        }
        super().__init__(name, configs, {"api_key": api_key})

    @classmethod
    def from_env(cls, name: str | None = None) -> AzureOpenAIConnection:
        """From AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_API_KEY and, optionally, OPENAI_API_VERSION."""
        base, key = _require_variables("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY")
        return cls(base, key, api_version=os.environ.get("OPENAI_API_VERSION"), name=name)


class OpenAIConnection(Connection):
    """OpenAI, or any server that speaks its protocol at ``base_url`` (a key is then optional)."""

    TYPE = "open_ai"
    FIELDS = ("api_key", "organization", "base_url")
    ALIASES: ClassVar[Mapping[str, str]] = {"api_base": "base_url"}
    MODEL = True

    def __init__(
        self,
        api_key: str | None = None,
        organization: str | None = None,
        base_url: str | None = None,
        *,
        name: str | None = None,
        **_ignored: Any,
    ) -> None:
        super().__init__(name, {"organization": organization, "base_url": base_url}, {"api_key": api_key})

    def _works_without_key(self) -> bool:
        return bool(self.configs.get("base_url"))

    @classmethod
    def from_env(cls, name: str | None = None) -> OpenAIConnection:
        """From OPENAI_API_KEY and, optionally, OPENAI_ORG_ID and OPENAI_BASE_URL."""
        (key,) = _require_variables("OPENAI_API_KEY")
        return cls(key, os.environ.get("OPENAI_ORG_ID"), os.environ.get("OPENAI_BASE_URL"), name=name)


class _AddressConnection(Connection):
    """A service with an address and a key."""

    FIELDS = ("api_key", "api_base")
    REQUIRED = ("api_key", "api_base")

    def __init__(
        self, api_key: str | None = None, api_base: str | None = None, *, name: str | None = None, **_ignored: Any
    ) -> None:
        super().__init__(name, {"api_base": api_base}, {"api_key": api_key})


class ServerlessConnection(_AddressConnection):
    """A serverless model endpoint; ``api_base`` is its address without ``/v1``."""

    TYPE = "serverless"
    MODEL = True


class SimulatedConnection(Connection):
    """Our simulated model: ``rules`` is the path of a YAML file, ``seed`` makes its chances repeatable."""

    TYPE = "simulated"
    FIELDS = ("rules", "seed")
    SECRETS = ()
    REQUIRED = ("rules",)
    MODEL = True

    def __init__(
        self, rules: str | os.PathLike[str] | None = None, seed: int | None = None, *, name: str | None = None
    ) -> None:
        super().__init__(name, {"rules": None if rules is None else os.fspath(rules), "seed": seed}, {})


class CognitiveSearchConnection(TokenConnection):
    """Azure AI Search."""

    TOKEN_SCOPE = "https://search.azure.com/.default"  # noqa: S105 - an address
    TYPE = "cognitive_search"
    FIELDS = ("api_base", "api_key", "api_version", "auth_mode")
    REQUIRED = ("api_base", "api_key")

    def __init__(
        self,
        api_base: str | None = None,
        api_key: str | None = None,
        api_version: str | None = None,
        auth_mode: str | None = None,
        *,
        name: str | None = None,
        **_ignored: Any,
    ) -> None:
        configs = {"api_base": api_base, "api_version": api_version or "2023-11-01", "auth_mode": auth_mode or "key"}
        super().__init__(name, configs, {"api_key": api_key})


class AzureAIServicesConnection(TokenConnection):
    """Azure AI services under one endpoint."""

    TYPE = "azure_ai_services"
    FIELDS = ("endpoint", "api_key", "auth_mode")
    REQUIRED = ("endpoint", "api_key")

    def __init__(
        self,
        endpoint: str | None = None,
        api_key: str | None = None,
        auth_mode: str | None = None,
        *,
        name: str | None = None,
        **_ignored: Any,
    ) -> None:
        super().__init__(name, {"endpoint": endpoint, "auth_mode": auth_mode or "key"}, {"api_key": api_key})


class _EndpointConnection(Connection):
    """An Azure service with an endpoint, a key and a dated API."""

    FIELDS = ("api_key", "endpoint", "api_version", "api_type")
    REQUIRED = ("api_key", "endpoint")
    DEFAULT_VERSION: ClassVar[str] = ""
    DEFAULT_API_TYPE: ClassVar[str] = ""

    def __init__(
        self,
        api_key: str | None = None,
        endpoint: str | None = None,
        api_version: str | None = None,
        api_type: str | None = None,
        *,
        name: str | None = None,
        **_ignored: Any,
    ) -> None:
        configs = {
            "endpoint": endpoint,
            "api_version": api_version or self.DEFAULT_VERSION,
            "api_type": api_type or self.DEFAULT_API_TYPE,
        }
        super().__init__(name, configs, {"api_key": api_key})


class AzureContentSafetyConnection(_EndpointConnection):
    """Azure AI Content Safety."""

    TYPE = "azure_content_safety"
    DEFAULT_VERSION = "2023-10-01"
    DEFAULT_API_TYPE = "Content Safety"


class FormRecognizerConnection(_EndpointConnection):
    """Azure AI Document Intelligence, once called Form Recognizer."""

    TYPE = "form_recognizer"
    DEFAULT_VERSION = "2023-07-31"
    DEFAULT_API_TYPE = "Form Recognizer"


class SerpConnection(Connection):
    """The SerpAPI web search; ``api_base`` is for a server of one's own that speaks its protocol."""

    TYPE = "serp"
    FIELDS = ("api_key", "api_base")

    def __init__(
        self, api_key: str | None = None, api_base: str | None = None, *, name: str | None = None, **_ignored: Any
    ) -> None:
        super().__init__(name, {"api_base": api_base} if api_base else {}, {"api_key": api_key})


class QdrantConnection(_AddressConnection):
    """A Qdrant vector database."""

    TYPE = "qdrant"


class WeaviateConnection(_AddressConnection):
    """A Weaviate vector database."""

    TYPE = "weaviate"


class CustomConnection(Connection):
    """Any keys: ``configs`` that may be shown and ``secrets`` that may not; both read as attributes."""

    TYPE = "custom"
    FIELDS = ("configs", "secrets", "custom_type", "package", "package_version")
    SECRETS = ()
    REQUIRED = ()

    def __init__(
        self,
        secrets: Mapping[str, Any] | None = None,
        configs: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        **_ignored: Any,
    ) -> None:
        super().__init__(name, configs or {}, secrets or {})

    @property
    def is_model(self) -> bool:
        """Custom connections with a ``base_url`` are OpenAI-compatible endpoints; prompt flow refuses them."""
        return bool(self.get("base_url"))

    def is_secret(self, item: str) -> bool:
        return item in self.secrets

    def to_strong_type(self, wanted: type[Strong]) -> Strong:
        """The same keys as the user's own connection class, over that class's defaults."""
        return wanted(secrets=self.secrets, configs=self.configs, name=self.name)


class CustomStrongTypeConnection(CustomConnection):
    """Base of connection classes that a user's package defines.

    A class attribute annotated ``Secret`` is a secret, any other annotated one a config; its value is the default.
    """

    DEFAULTS: ClassVar[Mapping[str, Any]] = {}
    DECLARED_SECRETS: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        annotations = inspect.get_annotations(cls)
        own = {key: kind for key, kind in annotations.items() if not _is_class_variable(kind)}
        cls.DECLARED_SECRETS = cls.DECLARED_SECRETS | {key for key, kind in own.items() if _is_secret_annotation(kind)}
        defaults = {key: cls.__dict__[key] for key in own if key in cls.__dict__}
        cls.DEFAULTS = {**cls.DEFAULTS, **defaults}
        for key in defaults:
            delattr(cls, key)  # a class attribute would hide the connection's own value of that name

    def __init__(
        self,
        secrets: Mapping[str, Any] | None = None,
        configs: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        **_ignored: Any,
    ) -> None:
        given = {**(configs or {}), **(secrets or {})}
        left = {key: value for key, value in self.DEFAULTS.items() if key not in given}
        default_secrets = {key: value for key, value in left.items() if key in self.DECLARED_SECRETS}
        default_configs = {key: value for key, value in left.items() if key not in self.DECLARED_SECRETS}
        super().__init__({**default_secrets, **(secrets or {})}, {**default_configs, **(configs or {})}, name=name)

    def is_secret(self, item: str) -> bool:
        return item in self.secrets or item in self.DECLARED_SECRETS


def as_declared(found: Connection, kinds: Sequence[type[Connection]]) -> Connection:
    """The connection as one of the classes that a parameter is annotated with.

    A custom connection becomes the first strong type among them, unless it is what is asked for; any other is returned
    as it is.
    """
    strong = next((kind for kind in kinds if issubclass(kind, CustomStrongTypeConnection)), None)
    if strong is None or not isinstance(found, CustomConnection) or isinstance(found, tuple(kinds)):
        return found
    return found.to_strong_type(strong)


def _is_secret_annotation(annotation: Any) -> bool:
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return str(name).rpartition(".")[2] == "Secret"


def _is_class_variable(annotation: Any) -> bool:
    return "ClassVar" in str(annotation)


def _require_variables(*names: str) -> list[str]:
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise UserError(f"Environment variables are not set: {', '.join(missing)}.")
    return [os.environ[name] for name in names]
