"""Collecting findings of one file, and reading files that others wrote."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowyard._util.yamlfile import YamlFile, parse_yaml
from flowyard.errors import UserError
from flowyard.migration.model import Finding, FindingKind

__all__ = ["Notes", "looks_secret", "read_structured", "read_text"]

_MOST_BYTES = 2_000_000
_PLACE = re.compile(r":(\d+)(?::\d+)?$")
_SECRET = re.compile(r"key|secret|password|passwd|token|connection_?string|credential", re.IGNORECASE)
_NO_SECRET = re.compile(r"max_|_max|count|key_?vault|token_?limit|total_token", re.IGNORECASE)


@dataclass(slots=True)
class Notes:
    """Findings as they are made; ``root`` is what file names are relative to."""

    root: Path
    found: list[Finding] = field(default_factory=list)

    def add(self, kind: FindingKind, file: Path, line: int, message: str, advice: str = "") -> None:
        """Note one thing about a file below the root."""
        root = f"{self.root}/"  # where the repository lies is nobody's business, and differs from machine to machine
        shown = [text.replace(root, "") for text in (message, advice)]
        self.found.append(Finding(kind, self.relative(file), line, *shown))

    def invalid(self, file: Path, error: UserError) -> None:
        """Note that a file cannot be read; the line is the error's where it has one."""
        place = _PLACE.search(error.where or "")
        self.add("problem", file, int(place[1]) if place else 1, error.message, error.hint or "Correct the file.")

    def relative(self, file: Path) -> str:
        """The file's name from the root, with forward slashes."""
        return file.relative_to(self.root).as_posix()


def read_text(file: Path) -> str:
    """A file's text. Raises UserError when it is not UTF-8, cannot be read or is too large to have been written."""
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise UserError(f"{file.name} is too large to be looked at.")
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file.name} cannot be read: {error.__class__.__name__}.") from None


def read_structured(file: Path) -> YamlFile:
    """YAML, or JSON, which is YAML but for its tabs; with the line of every key. Raises UserError."""
    text = read_text(file)
    if file.suffix == ".json":
        try:
            json.loads(text)
        except (ValueError, RecursionError) as error:
            place = f"{file.name}:{getattr(error, 'lineno', 1)}"
            raise UserError(f"Not valid JSON: {getattr(error, 'msg', error)}.", where=place) from None
        text = text.replace("\t", "  ")
    return parse_yaml(text, file)


def looks_secret(name: str, value: Any) -> bool:
    """Whether a value, by the name of its key, is a secret that is written out."""
    written = isinstance(value, str) and value.strip() and "${" not in value and not value.strip().startswith("<")
    return bool(written) and bool(_SECRET.search(name)) and not _NO_SECRET.search(name)
