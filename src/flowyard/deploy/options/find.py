"""Options by target, and what is wrong with given ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.deploy.options.azure_ml import AzureMlOptions
from flowyard.deploy.options.azure_webapp import AzureWebappOptions
from flowyard.deploy.options.docker import DockerOptions
from flowyard.deploy.options.kubernetes import KubernetesOptions
from flowyard.deploy.options.local import LocalOptions
from flowyard.deploy.options.model import TargetOptions
from flowyard.errors import Problem, UserError

__all__ = ["OPTIONS", "option_problems", "parse_options"]

OPTIONS: Mapping[str, type[TargetOptions]] = {
    "local": LocalOptions,
    "docker": DockerOptions,
    "azure-ml": AzureMlOptions,
    "kubernetes": KubernetesOptions,
    "azure-webapp": AzureWebappOptions,
}
"""The model of each target's options; only these targets can be deployed to."""


def parse_options(target: str, options: Mapping[str, Any]) -> TargetOptions:
    """The options of that target. Raises UserError with every mistake, and for an unknown target."""
    if target not in OPTIONS:
        raise UserError(f"There is no target {target!r}.", hint=did_you_mean(target, OPTIONS) or known_names(OPTIONS))
    problems = list(option_problems(target, options, lambda keys: f"options of {target}: {'.'.join(keys)}"))
    if problems:
        raise UserError("\n".join(map(str, problems)))
    return OPTIONS[target].model_validate(dict(options))


def option_problems(
    target: str, options: Mapping[str, Any], where: Callable[[tuple[str, ...]], str]
) -> Iterator[Problem]:
    """What is wrong with them; ``where`` names the place of a key inside of them. An unknown target has no rules."""
    model = OPTIONS.get(target)
    if model is None:
        return
    try:
        model.model_validate(dict(options))
    except ValidationError as error:
        for each in error.errors(include_url=False):
            keys = tuple(str(key) for key in each["loc"])
            if each["type"] == "extra_forbidden":
                known = list(model.model_fields)
                hint = did_you_mean(keys[-1], known) or (f"Known: {known_names(known)}." if known else "It has none.")
                yield Problem(f"The target {target} has no option {'.'.join(keys)!r}.", where(keys), hint)
            else:
                shown = f"options: {'.'.join(keys)}: " if keys else ""
                yield Problem(f"{shown}{each['msg'][0].lower()}{each['msg'][1:]}.", where(keys))
