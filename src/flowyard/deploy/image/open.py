"""Builders of images by name."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.deploy.image.buildah import BuildahBuilder
from flowyard.deploy.image.builder import BuilderParts, EngineBuilder
from flowyard.deploy.image.docker import DockerBuilder
from flowyard.errors import OutsideError, UserError

__all__ = ["BUILDERS", "open_builder"]

BUILDERS: Mapping[str, type[EngineBuilder]] = {"docker": DockerBuilder, "buildah": BuildahBuilder}


def open_builder(name: str | None, parts: BuilderParts) -> EngineBuilder:
    """The builder of that name; without one, the first whose program is there. Nothing is started yet.

    Raises UserError for an unknown one, OutsideError when there is none.
    """
    if name is not None:
        if name not in BUILDERS:
            raise UserError(
                f"There is no builder {name!r}.", hint=did_you_mean(name, BUILDERS) or known_names(BUILDERS)
            )
        return BUILDERS[name](parts)
    for each, kind in BUILDERS.items():
        if shutil.which(each, path=parts.environ.get("PATH")):
            return kind(parts)
    hint = "Install one of them, or: flowyard flow build --format wheel"
    raise OutsideError("There is neither docker nor buildah on this machine.", hint=hint)
