"""The deployment that a version in an environment comes to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict

from flowyard.deploy.config.environment import DeployEnvironment
from flowyard.deploy.config.read import fill_in
from flowyard.deploy.model import Image, WantedDeployment
from flowyard.registry.model import Version
from flowyard.registry.registry import Registry
from flowyard.settings import SIMULATE_VARIABLE

__all__ = ["deployment_name", "wanted_deployment"]


def deployment_name(version: Version, environment: DeployEnvironment, kept_image: Image | None = None) -> str:
    """``v3-1a2b3c4d``: the version, and a digest of its content and settings as they are written, without secrets.

    ``kept_image`` is one that was deployed before: another one is another deployment.
    """
    settings = asdict(environment)
    kept = ("target", "variables", "connections", "instances", "cpu", "memory_mb", "image", "options", "simulate")
    parts = [version.digest, {key: settings[key] for key in kept}, *([kept_image.digest] if kept_image else [])]
    text = json.dumps(parts, sort_keys=True, default=str)
    return f"v{version.version}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def wanted_deployment(
    use_case: str,
    registry: Registry,
    version: Version,
    environment: DeployEnvironment,
    environ: Mapping[str, str],
    kept_image: Image | None = None,
) -> WantedDeployment:
    """The deployment, every byte of its files checked; ``kept_image`` is one that was deployed before.

    Raises UserError for variables that are missing.
    """
    return WantedDeployment(
        endpoint=environment.endpoint_of(use_case),
        name=deployment_name(version, environment, kept_image),
        version_label=version.label,
        digest=version.digest,
        image=kept_image or _built_elsewhere(version, environment),
        folder=registry.folder(version),
        definition=str(version.settings.get("definition", "flow.dag.yaml")),
        variables={
            "FLOWYARD_SERVE_FLOW": version.name,  # what production records name it by
            "FLOWYARD_SERVE_VERSION": str(version.version),
            **fill_in(environment.variables, environ, environment.where),
            **({SIMULATE_VARIABLE: str(environment.simulate)} if environment.simulate else {}),
        },
        connections=environment.connections,
        instances=environment.instances,
        cpu=environment.cpu,
        memory_mb=environment.memory_mb,
        port=environment.port,
        options=environment.options,
    )


def _built_elsewhere(version: Version, environment: DeployEnvironment) -> Image | None:
    """The image that the environment names by its digest, where it does."""
    reference = environment.image.reference
    return Image(reference, reference.rpartition("@")[2], version.label) if reference else None
