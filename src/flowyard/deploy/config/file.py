"""``deployment.yaml``, strictly: every problem at once, each with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from flowyard._util.redact import may_be_secret
from flowyard._util.strict_yaml import STRICT, parse_strictly
from flowyard._util.suggest import known_names
from flowyard._util.yamlfile import YamlFile
from flowyard.deploy.config.environment import DeployEnvironment, ImageSettings
from flowyard.deploy.endpoint_test.model import EndpointTest
from flowyard.deploy.image.names import REFERENCE_FORM, REPOSITORY_FORM, is_reference, is_repository
from flowyard.deploy.options import option_problems
from flowyard.errors import Problem, UserError
from flowyard.registry.labels import require_alias
from flowyard.settings import SIMULATE_VARIABLE

__all__ = ["DeploymentFile", "parse_deployment_file", "parse_memory"]

TARGET_NAMES = ("local", "docker", "kubernetes", "azure-ml", "azure-webapp")
WITHOUT_APPROVAL = ("dev", "development", "local", "test", "ci", "pr")
"""Environments that may be deployed to without a person's yes, when their file says so."""

SIMULATE_HINT = "Say it with 'simulate', where the target and the environment may."

_ENDPOINT = re.compile(r"[a-zA-Z](?:[-a-zA-Z0-9]{1,30}[a-zA-Z0-9])")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLACEHOLDER = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_KEPT_ELSEWHERE = "${{azureml://connections/"
"""Begins a value that Azure ML takes from a connection of the workspace."""

_MEMORY = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(Mi|MB|M|Gi|GB|G)i?B?")
_MEMORY_FORM = {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(Mi|MB|M|Gi|GB|G)i?B?\s*$"}
_VARIABLE_FORM = {"type": ["string", "number"]}
"""What JSON schemas say of them."""
_MEGABYTES = {"M": 1, "G": 1024}


def parse_memory(text: str) -> int:
    """``512Mi``, ``1.5Gi`` or the like as megabytes. Raises ValueError."""
    found = _MEMORY.fullmatch(text.strip())
    if not found or float(found[1]) <= 0:
        raise ValueError(f"{text!r} is no memory size: write 512Mi or 2Gi")
    return int(float(found[1]) * _MEGABYTES[found[2][0]])


def _memory(value: Any) -> int:
    try:
        return parse_memory(str(value))
    except ValueError as error:
        raise PydanticCustomError("memory", "{why}", {"why": str(error)}) from None


def _endpoint(value: str) -> str:
    if not _ENDPOINT.fullmatch(value):
        raise PydanticCustomError("endpoint", "an endpoint's name has 3 to 32 letters, digits and '-', a letter first")
    return value


def _variable_value(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise PydanticCustomError("variable", "a variable is one text; quote true and false")
    return str(value)


def _repository(value: str) -> str:
    if not is_repository(value):
        raise PydanticCustomError("repository", "write it as {form}", {"form": REPOSITORY_FORM})
    return value


def _reference(value: str) -> str:
    if not is_reference(value):
        raise PydanticCustomError("reference", "an image is named by its digest: {form}", {"form": REFERENCE_FORM})
    return value


class _Strict(BaseModel):
    model_config = STRICT


class _Test(_Strict):
    file: str | None = None
    golden: str | None = None
    suite: Literal["smoke", "integration"] = "smoke"
    max_latency_p95_ms: Annotated[float, Field(gt=0)] | None = None
    requests: Annotated[int, Field(ge=1, le=10_000)] | None = None
    concurrency: Annotated[int, Field(ge=1, le=256)] | None = None
    ready_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 180.0


class _Image(_Strict):
    repository: Annotated[str, AfterValidator(_repository)] | None = None
    builder: Literal["docker", "buildah"] | None = None
    base: Annotated[str, Field(min_length=1)] | None = None
    reference: Annotated[str, AfterValidator(_reference)] | None = None


class _Environment(_Strict):
    target: Literal["local", "docker", "kubernetes", "azure-ml", "azure-webapp"]
    endpoint: Annotated[str, AfterValidator(_endpoint)] | None = None
    approval: Literal["required", "not_required"] = "required"
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    env: dict[str, Annotated[str, BeforeValidator(_variable_value), WithJsonSchema(_VARIABLE_FORM)]] = {}
    connections: list[str] = []
    instances: Annotated[int, Field(ge=1, le=1000)] = 1
    cpu: Annotated[float, Field(gt=0, le=1024)] | None = None
    memory: Annotated[int, BeforeValidator(_memory), WithJsonSchema(_MEMORY_FORM)] | None = None
    image: _Image = _Image()
    test: _Test = _Test()
    traffic: Annotated[int, Field(ge=1, le=100)] = 100
    simulate: str | None = None
    options: dict[str, Any] = {}


class DeploymentFile(_Strict):
    environments: dict[str, _Environment]


def parse_deployment_file(file: YamlFile, folder: Path) -> tuple[DeployEnvironment, ...]:
    """The environments; files that they name are seen from ``folder``. Raises UserError with every problem."""

    def more(body: DeploymentFile) -> Iterator[Problem]:
        for name, given in body.environments.items():
            yield from _more(name, given, file, folder)

    body = parse_strictly(DeploymentFile, file, more)
    return tuple(_made(name, given, file, folder) for name, given in body.environments.items())


def _made(name: str, given: _Environment, file: YamlFile, folder: Path) -> DeployEnvironment:
    test = given.test.model_dump()
    for key in ("file", "golden"):
        test[key] = folder / test[key] if test[key] else None
    return DeployEnvironment(
        name=name,
        target=given.target,
        endpoint=given.endpoint,
        needs_approval=given.approval == "required",
        port=given.port,
        variables=given.env,
        connections=tuple(given.connections),
        instances=given.instances,
        cpu=given.cpu,
        memory_mb=given.memory,
        image=ImageSettings(**given.image.model_dump()),
        test=EndpointTest(**test),
        traffic=given.traffic,
        options=given.options,
        simulate=folder / given.simulate if given.simulate else None,
        where=file.where("environments", name),
    )


def _more(name: str, given: _Environment, file: YamlFile, folder: Path) -> Iterator[Problem]:
    """What is wrong although each value by itself is right."""
    try:
        require_alias(f"production@{name}")
    except UserError as error:
        yield Problem(error.message, file.where("environments", name), error.hint)
    if given.approval == "not_required" and name not in WITHOUT_APPROVAL:
        yield Problem(
            f"{name!r} is not deployed to without an approval.",
            file.where("environments", name, "approval"),
            f"Only these may: {known_names(WITHOUT_APPROVAL)}.",
        )
    yield from option_problems(
        given.target, given.options, lambda keys: file.where("environments", name, "options", *keys)
    )
    for variable, value in given.env.items():
        where = file.where("environments", name, "env", variable)
        if variable == SIMULATE_VARIABLE:
            yield Problem(f"{variable} would have a simulated model answer.", where, SIMULATE_HINT)
        elif not _VARIABLE.fullmatch(variable):
            yield Problem(f"{variable!r} cannot be the name of a variable.", where)
        elif value.startswith(_KEPT_ELSEWHERE):
            continue
        elif may_be_secret(variable) and value and not _PLACEHOLDER.search(value):
            yield Problem(f"{variable} looks like a secret, which does not belong here.", where, f"${{{variable}}}")
    if given.simulate:
        yield from _simulation_problems(name, given, folder, file.where("environments", name, "simulate"))
    yield from _image_problems(given, file.where("environments", name, "image"))
    for key in ("file", "golden"):
        place = getattr(given.test, key)
        if place and not (folder / place).is_file():
            yield Problem(f"There is no file {place}.", file.where("environments", name, "test", key))


def _image_problems(given: _Environment, where: str) -> Iterator[Problem]:
    keys = given.image.model_fields_set
    if keys and given.target == "local":
        yield Problem("The target local runs files, not images.", where, "Leave out 'image'.")
    if given.image.reference and len(keys) > 1:
        yield Problem("An image with a reference is built already.", where, "Leave out the other keys of 'image'.")


def _simulation_problems(name: str, given: _Environment, folder: Path, where: str) -> Iterator[Problem]:
    """Answers that no model gave are only for environments that nobody relies on."""
    if name not in WITHOUT_APPROVAL:
        only = f"Only these may: {known_names(WITHOUT_APPROVAL)}."
        yield Problem(f"{name!r} is not served with simulated answers.", where, only)
    if given.target != "local":
        hint = "Elsewhere: flowyard simulate serve, and a connection with its address."
        yield Problem("Only the target local simulates the model.", where, hint)
    if not (folder / str(given.simulate)).is_file():
        yield Problem(f"There is no file {given.simulate}.", where)
