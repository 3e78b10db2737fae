"""A compose file for people who run containers themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from flowyard.deploy.model import PUBLIC_VARIABLES, WantedDeployment

__all__ = ["write_compose"]

_INSIDE = 8080


def write_compose(wanted: WantedDeployment, folder: Path) -> Sequence[Path]:
    """Write ``compose.yaml`` and ``settings.env.example``, which names all variables and has no secret."""
    image = wanted.image.reference if wanted.image else f"{wanted.version_label}"
    service: dict[str, Any] = {
        "image": image,
        "restart": "unless-stopped",
        "init": True,
        "read_only": True,
        "tmpfs": ["/tmp:rw,size=256m"],  # noqa: S108 - in the container
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "ports": [f"127.0.0.1:{wanted.port or _INSIDE}:{_INSIDE}"],
        "env_file": ["settings.env"],
        "environment": {"FLOWYARD_HOME": "/tmp/flowyard"},  # noqa: S108 - in the container
        "stop_grace_period": "45s",
        "labels": {"flowyard.version": wanted.version_label, "flowyard.digest": wanted.digest},
    }
    limits: dict[str, Any] = {}
    if wanted.cpu:
        limits["cpus"] = f"{wanted.cpu:g}"
    if wanted.memory_mb:
        limits["memory"] = f"{wanted.memory_mb}M"
    if limits:
        service["deploy"] = {"resources": {"limits": limits}}
    folder.mkdir(parents=True, exist_ok=True)
    compose, example = folder / "compose.yaml", folder / "settings.env.example"
    with compose.open("w", encoding="utf-8") as file:
        YAML().dump({"name": wanted.endpoint, "services": {"flow": service}}, file)
    names = ["FLOWYARD_SERVE_KEY", *wanted.variables]
    public = {name: wanted.variables.get(name, "") for name in PUBLIC_VARIABLES}
    example.write_text("".join(f"{name}={public.get(name, '')}\n" for name in names), encoding="utf-8")
    return [compose, example]
