"""``${env:NAME}`` and ``${file:path}`` in the front matter of a prompty and the samples of a flex flow."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flowyard._util.yamlfile import read_yaml
from flowyard.errors import UserError

__all__ = ["FileReferences", "Keys"]

_REFERENCE = re.compile(r"\$\{(env|file):(.*)\}", re.IGNORECASE)

Keys = tuple[str | int, ...]


class FileReferences:
    """Replaces the strings that start with a reference by what they refer to.

    ``${env:NAME}`` stays as it is when the variable is not set. ``${file:x}``, relative to ``folder``, becomes the data
    of a .json, .yaml or .yml file and the text of any other. As in prompt flow, what follows a reference in the same
    string is dropped. ``warn`` and ``blame`` are told what is odd and what is wrong, with the keys of the string.
    """

    def __init__(
        self, folder: Path, warn: Callable[[Keys, str], None], blame: Callable[[Keys, UserError], None]
    ) -> None:
        self._folder = folder
        self._warn = warn
        self._blame = blame

    def resolve(self, value: Any, keys: Keys = ()) -> Any:
        """The value with the strings in it resolved; a file that cannot be read gives None."""
        if isinstance(value, dict):
            return {key: self.resolve(item, (*keys, str(key))) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item, (*keys, index)) for index, item in enumerate(value)]
        match = _REFERENCE.match(value) if isinstance(value, str) else None
        if match is None:
            return value
        if match.end() < len(value):
            self._warn(keys, f"what follows {match[0]} in the same text is dropped, as in prompt flow.")
        if match[1].lower() == "env":
            return os.environ.get(match[2], value)
        try:
            return _load(self._folder / match[2], match[2])
        except UserError as error:
            self._blame(keys, error)
            return None


def _load(path: Path, shown: str) -> Any:
    if not path.is_file():
        raise UserError(f"The file {shown} does not exist.", hint="Its path is relative to the file that names it.")
    if path.suffix.lower() in (".yaml", ".yml"):
        return read_yaml(path).data
    try:
        text = path.read_text(encoding="utf-8-sig")
        return json.loads(text) if path.suffix.lower() == ".json" else text
    except UnicodeDecodeError as error:
        raise UserError(f"The file {shown} is not UTF-8 text ({error.reason} at byte {error.start}).") from None
    except OSError as error:
        raise UserError(f"The file {shown} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise UserError(f"The file {shown} is not valid JSON: {error}.") from None
