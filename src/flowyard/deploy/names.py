"""Names that become parts of paths and addresses."""

from __future__ import annotations

import re

from flowyard.errors import NotFound, UserError
from flowyard.registry.tree import is_plain_name

__all__ = ["require_deployment_name", "require_path_part"]

_DEPLOYMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def require_deployment_name(name: str) -> str:
    """The name itself. Raises NotFound for one that no deployment can have, because it could lead elsewhere."""
    if not _DEPLOYMENT.fullmatch(name):
        raise NotFound(f"There is no deployment {name!r}.", hint="See: flowyard deploy status USECASE --env E")
    return name


def require_path_part(what: str, name: str) -> str:
    """The name itself. Raises UserError for one that is no single plain part of a path; ``what`` has it."""
    if "/" in name or not is_plain_name(name):
        hint = "Use letters, digits, '-', '_' and '.', a letter or digit first."
        raise UserError(f"{what} cannot be called {name!r}.", hint=hint)
    return name
