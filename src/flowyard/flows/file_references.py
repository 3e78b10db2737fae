"""``${env:NAME}`` and ``${file:path}`` in the front matter of a prompty."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flowyard._util.yamlfile import read_yaml
from flowyard.errors import UserError

__all__ = ["resolve_references"]

_REFERENCE = re.compile(r"\$\{(env|file):(.*)\}", re.IGNORECASE)

Keys = tuple[str | int, ...]


def resolve_references(value: Any, folder: Path, say: Callable[[str, Keys], None], keys: Keys = ()) -> Any:
    """The value with every string that starts with a reference replaced by what it refers to.

    ``${env:NAME}`` stays as it is when the variable is not set. ``${file:x}``, relative to ``folder``, becomes the data
    of a .json, .yaml or .yml file and the text of any other. As in prompt flow, what follows a reference in the same
    string is dropped; ``say`` is told, with the keys of the string. Raises UserError for a file that cannot be read.
    """
    if isinstance(value, dict):
        return {key: resolve_references(item, folder, say, (*keys, str(key))) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve_references(item, folder, say, (*keys, index)) for index, item in enumerate(value)]
    match = _REFERENCE.match(value) if isinstance(value, str) else None
    if match is None:
        return value
    if match.end() < len(value):
        say(f"what follows {match[0]} in the same text is dropped, as in prompt flow", keys)
    if match[1].lower() == "env":
        return os.environ.get(match[2], value)
    return _file(folder / match[2], match[2])


def _file(path: Path, shown: str) -> Any:
    suffix = path.suffix.lower()
    if not path.is_file():
        raise UserError(f"The file {shown} does not exist.", hint="The path is relative to the prompty.")
    if suffix in (".yaml", ".yml"):
        return read_yaml(path).data
    try:
        text = path.read_text(encoding="utf-8-sig")
        return json.loads(text) if suffix == ".json" else text
    except UnicodeDecodeError as error:
        raise UserError(f"The file {shown} is not UTF-8 text ({error.reason} at byte {error.start}).") from None
    except OSError as error:
        raise UserError(f"The file {shown} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise UserError(f"The file {shown} is not valid JSON: {error}.") from None
