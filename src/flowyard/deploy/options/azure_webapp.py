"""Options of the target ``azure-webapp``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from flowyard._util.redact import may_be_secret
from flowyard.deploy.options.model import TargetOptions

__all__ = ["AzureWebappOptions", "SlotSettings"]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(r"[A-Za-z0-9-]{1,127}(/[0-9A-Za-z]{1,64})?")
_SECRET_URI = re.compile(r"https://[A-Za-z0-9.-]+/secrets/[A-Za-z0-9-]{1,127}(/[0-9A-Za-z]{1,64})?/?")
_VAULT = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]|https://[A-Za-z0-9.-]+")
_IDENTITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,127}|/subscriptions/[^/\s]+(/[^/\s]+)+")
_RESOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._()-]{0,89}")


def _matching(pattern: re.Pattern[str], what: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise PydanticCustomError("form", "{value} is no {what}", {"value": repr(value), "what": what})
        return value

    return AfterValidator(check)


def _no_secrets(values: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in values.items():
        if may_be_secret(name) and value:
            raise PydanticCustomError("secret", "{name} looks like a secret: it belongs into 'secrets'", {"name": name})
    return values


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Variable = Annotated[str, _matching(_VARIABLE, "name of a variable")]
Name = Annotated[str, _matching(_RESOURCE, "name of a resource")]
Values = Annotated[dict[Variable, Annotated[str, BeforeValidator(_as_text)]], AfterValidator(_no_secrets)]


def _secret(value: str) -> str:
    if not _SECRET.fullmatch(value) and not _SECRET_URI.fullmatch(value):
        raise PydanticCustomError("key_vault", "name a secret: NAME, or https://VAULT.vault.azure.net/secrets/NAME")
    return value


class SlotSettings(BaseModel):
    """Variables that stay with the place where requests come, or with the places where deployments wait for them."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    production: Values = Field(default_factory=dict)
    next: Values = Field(default_factory=dict)


class AzureWebappOptions(TargetOptions):
    """``secrets`` maps variables to secrets of a key vault: names of ``key_vault``, or whole addresses.

    ``identity`` is ``system``, or the name or resource id of a user-assigned identity. ``sku`` and ``region`` are
    those of the plan, and only needed where it is made. ``start_s`` is how long a deployment may take to answer.
    """

    subscription: Annotated[str, _matching(_RESOURCE, "id of a subscription")] | None = None
    resource_group: Name | None = None
    plan: Name | None = None
    plan_resource_group: Name | None = None
    sku: Annotated[str, _matching(re.compile(r"[A-Za-z0-9]{1,8}"), "sku")] | None = None
    region: Annotated[str, _matching(re.compile(r"[A-Za-z0-9 ]{3,40}"), "region")] | None = None
    registry: Annotated[str, _matching(re.compile(r"[A-Za-z0-9.-]{3,255}"), "registry")] | None = None
    registry_resource_group: Name | None = None
    identity: Annotated[str, _matching(_IDENTITY, "identity")] = "system"
    key_vault: Annotated[str, _matching(_VAULT, "name or address of a key vault")] | None = None
    secrets: dict[Variable, Annotated[str, AfterValidator(_secret)]] = Field(default_factory=dict)
    slot_settings: SlotSettings = SlotSettings()
    start_s: Annotated[float, Field(ge=10, le=1800)] = 600.0

    def repository(self, name: str) -> str | None:
        """In the Azure container registry that ``registry`` names, by its short name or its whole one."""
        if self.registry is None:
            return None
        host = self.registry if "." in self.registry else f"{self.registry}.azurecr.io"
        return f"{host.lower()}/{name.lower()}"
