"""Text files that begin with YAML between two fences, lines of three or more dashes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from flowyard._util.suggest import missing_file_hint
from flowyard._util.yamlfile import YamlFile, parse_yaml
from flowyard.errors import UserError

__all__ = ["FrontMatter", "parse_front_matter", "read_front_matter"]

_FENCE = re.compile(r"-{3,}[ \t]*")


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """A file's YAML, its text after the closing fence (lines end with a newline only) and that text's first line.

    ``ignored`` says that there is text before the first fence, which means nothing.
    """

    yaml: YamlFile
    text: str
    first_line: int
    ignored: bool = False


def read_front_matter(path: Path) -> FrontMatter:
    """Read a file. Raises UserError when it is missing, not UTF-8, or not of this form, with file:line."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"File not found: {path}", hint=missing_file_hint(path)) from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error.reason} at byte {error.start}).") from None
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from None
    return parse_front_matter(text, path)


def parse_front_matter(text: str, path: Path) -> FrontMatter:
    """Split the text of ``path`` at its first two fences; later ones belong to the text. Raises UserError."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    fences = (number for number, line in enumerate(lines) if _FENCE.fullmatch(line))
    start, end = next(fences, None), next(fences, None)
    if start is None:
        hint = "The first line is '---'; then comes YAML, another line '---', and the prompt."
        raise UserError("The file has no front matter.", where=f"{path.name}:1", hint=hint)
    if end is None:
        hint = "Put a line '---' between the YAML and the prompt."
        raise UserError("The front matter is not closed.", where=f"{path.name}:{start + 1}", hint=hint)
    # Empty lines stand for what comes before, so that the lines of the YAML are those of the file.
    yaml = parse_yaml("\n" * (start + 1) + "\n".join(lines[start + 1 : end]), path)
    ignored = any(line.strip() for line in lines[:start])
    return FrontMatter(yaml, "\n".join(lines[end + 1 :]), end + 2, ignored)
