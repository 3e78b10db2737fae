"""``gateway.yaml``, strictly: every problem at once, each with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from flowyard._util.addresses import is_metadata, is_number_host, parse_address
from flowyard._util.listen import is_loopback
from flowyard._util.strict_yaml import STRICT, parse_strictly
from flowyard._util.suggest import did_you_mean, known_names
from flowyard._util.yamlfile import YamlFile, read_yaml
from flowyard.errors import Problem
from flowyard.gateway.addresses import parse_backend_url, parse_listen
from flowyard.gateway.settings import (
    Backend,
    BreakerSettings,
    ControlSettings,
    GatewaySettings,
    HealthSettings,
    Limits,
    MirrorSettings,
    OverrideSettings,
    StickySettings,
)

__all__ = ["GatewayFile", "load_gateway_settings", "parse_gateway_file"]

_NAME = re.compile(r"[a-zA-Z0-9](?:[-_.a-zA-Z0-9]{0,62}[a-zA-Z0-9])?")
_HEADER = re.compile(r"[a-zA-Z0-9][-_a-zA-Z0-9]{0,63}")
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise PydanticCustomError("name", "a name has letters, digits, '-', '_' and '.', 64 at most")
    return value


def _header(value: str) -> str:
    if not _HEADER.fullmatch(value):
        raise PydanticCustomError("header", "this is no name of a header or cookie")
    return value


def _listen(value: str) -> str:
    if parse_listen(value) is None:
        raise PydanticCustomError("listen", "write HOST:PORT, such as 127.0.0.1:8900 or [::1]:8900")
    return value


def _url(value: str) -> str:
    found = parse_backend_url(value)
    if found is None:
        raise PydanticCustomError("url", "write http://HOST:PORT or https://HOST, without a name, query or fragment")
    host = found[0][0]
    address = parse_address(host)
    if (address is None and is_number_host(host)) or (address is not None and is_metadata(address)):
        raise PydanticCustomError("url", "requests are not sent there")
    return value


def _network(value: str) -> str:
    try:
        ip_network(value, strict=False)
    except ValueError:
        raise PydanticCustomError("network", "write an address or a network, such as 10.0.0.7 or 10.0.0.0/8") from None
    return value


def _secret(value: str) -> str:
    if not _PLACEHOLDER.fullmatch(value):
        raise PydanticCustomError("secret", "a key does not belong here: write ${NAME} and set that variable")
    return value


_Name = Annotated[str, AfterValidator(_name)]
_Header = Annotated[str, AfterValidator(_header)]
_Listen = Annotated[str, AfterValidator(_listen)]
_Secret = Annotated[str, AfterValidator(_secret)]
_Text = Annotated[str, Field(min_length=1, max_length=200)]
_Seconds = Annotated[float, Field(gt=0, le=3600)]
_Path = Annotated[str, Field(pattern=r"^/[!-~]*$")]


class _Strict(BaseModel):
    model_config = STRICT


class _Backend(_Strict):
    url: Annotated[str, AfterValidator(_url)]
    weight: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] = 0
    version: _Text | None = None
    key: _Secret | None = None


class _Sticky(_Strict):
    header: _Header | None = None
    cookie: _Header | None = None
    session: _Header | None = None


class _Override(_Strict):
    header: _Header = "x-variant"
    key: _Secret | None = None
    allow: list[_Text] = []


class _Mirror(_Strict):
    to: str
    percent: Annotated[float, Field(gt=0, le=100)] = 100.0
    at_once: Annotated[int, Field(ge=1, le=128)] = 4
    waiting: Annotated[int, Field(ge=1, le=10_000)] = 64
    budget_per_hour: Annotated[int, Field(ge=1, le=10_000_000)] = 1000
    timeout_s: _Seconds = 60.0


class _Health(_Strict):
    path: _Path = "/health"
    every_s: _Seconds = 5.0
    timeout_s: _Seconds = 2.0
    failures: Annotated[int, Field(ge=1, le=100)] = 3


class _Breaker(_Strict):
    failures: Annotated[int, Field(ge=1, le=10_000)] = 5
    open_s: _Seconds = 10.0


class _Limits(_Strict):
    body_bytes: Annotated[int, Field(ge=1, le=1 << 30)] = 32 * 1024 * 1024
    at_once: Annotated[int, Field(ge=1, le=100_000)] = 2048
    connect_s: _Seconds = 5.0
    answer_s: _Seconds = 300.0
    grace_s: Annotated[float, Field(ge=0, le=3600)] = 25.0


class _Control(_Strict):
    listen: _Listen
    key: _Secret


class GatewayFile(_Strict):
    name: _Name
    listen: _Listen
    backends: Annotated[dict[_Name, _Backend], Field(min_length=1, max_length=100)]
    experiment: _Name | None = None
    salt: _Text | None = None
    auth: Literal["key", "pass-through"] | None = None
    key: _Secret | None = None
    sticky: _Sticky = _Sticky()
    override: _Override | None = None
    mirror: _Mirror | None = None
    health: _Health | None = None
    breaker: _Breaker = _Breaker()
    retries: Annotated[int, Field(ge=0, le=10)] = 1
    limits: _Limits = _Limits()
    exposures: _Text | None = None
    state: _Text | None = None
    trusted_proxies: Annotated[list[Annotated[str, AfterValidator(_network)]], Field(max_length=100)] = []
    control: _Control | None = None


def load_gateway_settings(path: Path, environ: Mapping[str, str]) -> GatewaySettings:
    """The settings in a file; variables that it names come from ``environ``. Raises UserError with every problem."""
    return parse_gateway_file(read_yaml(path), environ)


def parse_gateway_file(file: YamlFile, environ: Mapping[str, str]) -> GatewaySettings:
    """The same for a file that was read; folders that it names are seen from its own."""
    besides = _variable_problems(file, environ)
    body = parse_strictly(GatewayFile, file, lambda body: _more(body, file), besides)
    return _made(body, file.path.resolve().parent, environ)


def _made(body: GatewayFile, folder: Path, environ: Mapping[str, str]) -> GatewaySettings:
    host, port = parse_listen(body.listen) or ("", 0)

    def known(value: str | None) -> str | None:
        found = _PLACEHOLDER.fullmatch(value) if value is not None else None
        return environ[found[1]] if found else value

    control = None
    if body.control is not None:
        place = parse_listen(body.control.listen) or ("", 0)
        control = ControlSettings(*place, key=known(body.control.key) or "")
    override = body.override
    return GatewaySettings(
        name=body.name,
        experiment=body.experiment or body.name,
        host=host,
        port=port,
        backends={name: _backend(name, given, known(given.key)) for name, given in body.backends.items()},
        salt=known(body.salt),
        key=known(body.key),
        sticky=StickySettings(**{key: each and each.lower() if key == "header" else each for key, each in body.sticky}),
        override=None
        if override is None
        else OverrideSettings(override.header.lower(), known(override.key), frozenset(override.allow)),
        mirror=None if body.mirror is None else MirrorSettings(**body.mirror.model_dump()),
        health=None if body.health is None else HealthSettings(**body.health.model_dump()),
        breaker=BreakerSettings(**body.breaker.model_dump()),
        retries=body.retries,
        limits=Limits(**body.limits.model_dump()),
        exposures=folder / body.exposures if body.exposures else None,
        state=folder / body.state if body.state else None,
        trusted_proxies=tuple(ip_network(each, strict=False) for each in body.trusted_proxies),
        control=control,
    )


def _backend(name: str, given: _Backend, key: str | None) -> Backend:
    found = parse_backend_url(given.url)
    assert found is not None, "the file was checked"
    return Backend(name, given.url, *found, weight=given.weight, version=given.version or "", key=key)


def _variable_problems(file: YamlFile, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Variables that the file names and nobody has set."""
    data = file.data if isinstance(file.data, dict) else {}
    places: list[tuple[str, ...]] = [("salt",), ("key",), ("override", "key"), ("control", "key")]
    backends = data.get("backends")
    places += [("backends", str(name), "key") for name in backends] if isinstance(backends, dict) else []
    for keys in places:
        value: Any = data
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        found = _PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
        if found and not environ.get(found[1]):
            yield Problem(f"The variable {found[1]} is not set.", file.where(*keys), f"export {found[1]}=…")


def _more(body: GatewayFile, file: YamlFile) -> Iterator[Problem]:
    """What is wrong although each value by itself is right."""
    names = list(body.backends)
    if not any(given.weight for given in body.backends.values()):
        yield Problem("No backend has a weight above 0.", file.where("backends"), "Give one of them weight: 100")
    folded = [name.lower() for name in names]
    if len(set(folded)) < len(folded):
        yield Problem("Two backends differ in large and small letters only.", file.where("backends"))
    if body.mirror and body.mirror.to not in body.backends:
        hint = did_you_mean(body.mirror.to, names) or f"Known: {known_names(names)}."
        yield Problem(f"There is no backend {body.mirror.to!r}.", file.where("mirror", "to"), hint)
    if body.override and not (body.override.key or body.override.allow):
        yield Problem(
            "Anybody could choose an arm.", file.where("override"), "Say who may: key: ${TESTER_KEY}, or allow: [UNIT]"
        )
    yield from _access_problems(body, file)


def _access_problems(body: GatewayFile, file: YamlFile) -> Iterator[Problem]:
    if body.auth == "key" and not body.key:
        yield Problem("auth: key needs a key.", file.where("auth"), "key: ${GATEWAY_CALLER_KEY}")
    if body.auth == "pass-through" and body.key:
        yield Problem("Callers either show a key here, or theirs goes through.", file.where("auth"), "Remove one.")
    host = (parse_listen(body.listen) or ("", 0))[0]
    if not body.key and body.auth is None and not is_loopback(host):
        hint = "key: ${GATEWAY_CALLER_KEY}; or auth: pass-through where the backends ask for one."
        yield Problem(f"On {host} anyone who reaches this machine could ask the backends.", file.where("listen"), hint)
