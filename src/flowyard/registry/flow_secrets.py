"""Secrets that stand in a flow's own files: found before they are kept for good."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from flowyard._util.left_out import is_for_logins, private_key_line
from flowyard._util.redact import may_be_secret
from flowyard._util.yamlfile import read_yaml
from flowyard.errors import UserError
from flowyard.flows.front_matter import read_front_matter
from flowyard.flows.model import Flow, PromptyFlow
from flowyard.registry.ignore import IGNORE_FILES, is_kept_by_name, read_ignored

__all__ = ["require_no_keys", "require_no_secrets"]

_MOST_BYTES = 100_000
_CODE = frozenset({".py", ".jinja2", ".prompty"})
"""What a flow would not run without may speak of private keys."""

_STANDS_FOR = re.compile(r"^(\$\{.*|<.*>|\*+|x+|\.+|your[-_ ].*|)$", re.IGNORECASE | re.DOTALL)
"""What is written where a secret will be: a reference, a placeholder, stars."""


def require_no_secrets(flow: Flow, parameters: Mapping[str, Any], files: Iterable[Path]) -> None:
    """Raises UserError, without the value, for a secret in the definition, a parameter or a connection's file."""
    for name, value in parameters.items():
        if _is_secret(name, value):
            hint = "Name a connection, or set it where the flow runs: a version is kept for good, for many to read."
            raise UserError(f"The parameter {name!r} looks like a secret.", hint=hint)
    written = _definition(flow)
    found = [f"environment_variables.{name}" for name in _secret_names(written.get("environment_variables"))]
    model = written.get("model")
    configuration = model.get("configuration") if isinstance(model, Mapping) else None
    found += [f"model.configuration.{name}" for name in _secret_names(configuration)]
    if found:
        hint = "Write ${env:NAME} or the name of a connection in its place."
        raise UserError(f"{flow.file.name} holds what looks like a secret: {found[0]}.", hint=hint)
    for path in files:
        secret = _connection_secret(path)
        if secret:
            hint = "Write ${env:NAME} in its place, or leave the file out with a line in .flowyardignore."
            raise UserError(f"{path} is a connection with what looks like a secret: {secret}.", hint=hint)


def require_no_keys(folder: Path, files: Mapping[str, Path]) -> None:
    """Raises UserError for a private key or a file of logins among the files of a flow, by their names in it.

    One that ``.flowyardignore`` of the folder keeps by name, as ``!/certs/test.key``, is part of the flow. What was
    registered before stays as it is: nothing is left out that was not, so no digest changes.
    """
    for name, path in files.items():
        line = None if path.suffix.lower() in _CODE else private_key_line(path.read_bytes())
        if (line is None and not is_for_logins(name)) or is_kept_by_name(folder, name):
            continue
        what = "is a private key" if line else "is a file for keys or logins"
        kept = f"To have it in the flow all the same, write !/{name} into it."
        other = read_ignored(folder).file_name
        if other not in (None, IGNORE_FILES[0]):
            kept += f" It takes the place of {other}: begin with the lines of that."
        raise UserError(
            f"{name} {what}, and a version is kept for good, for many to read.",
            hint=f"Leave it out with the line /{name} in .flowyardignore in the flow's folder, or move it elsewhere.\n"
            f"{kept}",
            where=f"{path}:{line or 1}",
        )


def _definition(flow: Flow) -> Mapping[str, Any]:
    """What the file says: what a reference to the environment gives is not in it."""
    is_prompty = isinstance(flow, PromptyFlow)
    body = (read_front_matter(flow.file).yaml if is_prompty else read_yaml(flow.file)).data
    return body if isinstance(body, Mapping) else {}


def _connection_secret(path: Path) -> str | None:
    """The first secret in a file that declares a connection; None for any other file."""
    if path.suffix not in (".yaml", ".yml") or path.stat().st_size > _MOST_BYTES:
        return None
    try:
        body = read_yaml(path).data
    except UserError:
        return None  # whoever reads it will say what is wrong with it
    if not isinstance(body, Mapping) or "nodes" in body or "entry" in body:
        return None
    if "Connection.schema" not in str(body.get("$schema")) and "type" not in body:
        return None
    inner = body.get("secrets")
    values = inner.items() if isinstance(inner, Mapping) else ()
    secrets = (f"secrets.{name}" for name, value in values if _is_value(value))
    return next(chain(_secret_names(body), secrets), None)


def _secret_names(values: Any) -> Iterator[str]:
    if isinstance(values, Mapping):
        yield from (str(name) for name, value in values.items() if _is_secret(str(name), value))


def _is_secret(name: str, value: Any) -> bool:
    return may_be_secret(name) and _is_value(value)


def _is_value(value: Any) -> bool:
    return isinstance(value, str) and len(value) >= 8 and not _STANDS_FOR.match(value.strip())
