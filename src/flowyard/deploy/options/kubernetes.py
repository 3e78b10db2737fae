"""Options of the target ``kubernetes``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from flowyard.deploy.options.model import TargetOptions

__all__ = ["IngressOptions", "KubernetesOptions", "RouteOptions", "ScaleOptions"]

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_HOST = re.compile(r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise PydanticCustomError("name", "a name in Kubernetes has small letters, digits, '-' and '.'")
    return value


def _host(value: str) -> str:
    if not _HOST.fullmatch(value) or len(value) > 253:
        raise PydanticCustomError("host", "a host is written like flows.example.com")
    return value


def _address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise PydanticCustomError("address", "an address is written like https://flows.example.com/triage")
    return value.rstrip("/")


def _secret(value: str) -> str:
    name, _, key = value.partition("/")
    if not _NAME.fullmatch(name) or not _SECRET_KEY.fullmatch(key):
        raise PydanticCustomError("secret", "a secret is written as NAME/KEY: the Secret and the key in it")
    return value


def _variable(value: str) -> str:
    if not _VARIABLE.fullmatch(value):
        raise PydanticCustomError("variable", "this cannot be the name of a variable")
    return value


Name = Annotated[str, AfterValidator(_name)]
Host = Annotated[str, AfterValidator(_host)]
Variable = Annotated[str, AfterValidator(_variable)]
SecretKey = Annotated[str, AfterValidator(_secret)]


class ScaleOptions(TargetOptions):
    """As many instances as the load needs, from ``min`` to ``max``; ``cpu`` is the percent to be used of what is asked
    for.
    """

    min: Annotated[int, Field(ge=1, le=1000)] = 1
    max: Annotated[int, Field(ge=1, le=1000)]
    cpu: Annotated[int, Field(ge=1, le=1000)] = 70

    @model_validator(mode="after")
    def _in_order(self) -> ScaleOptions:
        if self.min > self.max:
            raise PydanticCustomError("order", "'min' is more than 'max'")
        return self


class IngressOptions(TargetOptions):
    """The endpoint at a host, by an ingress controller. ``tls_secret`` has its certificate."""

    host: Host
    class_name: Name | None = None
    tls_secret: Name | None = None


class RouteOptions(TargetOptions):
    """The endpoint behind a Gateway of the Gateway API, which can split requests. ``listener`` is its section."""

    gateway: Name
    namespace: Name | None = None
    listener: Name | None = None
    hosts: tuple[Host, ...] = ()


class KubernetesOptions(TargetOptions):
    """What only a cluster knows. ``secrets`` are variables by ``NAME/KEY`` of Secrets that are there already.

    ``allow_from`` are the only namespaces that may send requests, all when there are none. ``request_s`` is how long a
    request may last, ``ready_s`` how long a deployment is waited for. ``take_over`` takes fields from other managers.
    """

    context: str | None = None
    namespace: Name | None = None
    address: Annotated[str, AfterValidator(_address)] | None = None
    ingress: IngressOptions | None = None
    route: RouteOptions | None = None
    scale: ScaleOptions | None = None
    secrets: Mapping[Variable, SecretKey] = Field(default_factory=dict)
    pull_secret: Name | None = None
    service_account: Name | None = None
    allow_from: tuple[Name, ...] = ()
    request_s: Annotated[int, Field(ge=1, le=3600)] = 300
    ready_s: Annotated[int, Field(ge=1, le=3600)] = 600
    take_over: bool = False

    @model_validator(mode="after")
    def _fit_together(self) -> KubernetesOptions:
        if self.route and self.ingress:
            raise PydanticCustomError("both", "an endpoint has an 'ingress' or a 'route', not both")
        if self.route and not self.address:
            raise PydanticCustomError("address", "a 'route' needs 'address': where people reach the gateway")
        return self
