"""Pictures in prompts.

A template says ``![image]({{photo}})``. What a picture renders to is a short name, its placeholder; a line that holds
only a placeholder becomes the picture when the rendered text is split into messages. So three steps go together::

    template = separate_images(text)                      # before parsing: each picture on a line of its own
    rendered = render(template, in_lines(escaped))        # after escaping roles: lists print one item a line
    parse_chat(rendered, images=placeholders(values))
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flowyard.errors import UserError
from flowyard.media.image import Image
from flowyard.media.values import find_values

__all__ = ["LinesList", "in_lines", "placeholders", "separate_images", "template_images"]

# The name is matched without blanks at its ends, so that long runs of them cannot make matching slow.
_DECLARED = re.compile(r"!\[\s*image\s*\]\(\{\{\s*([^\s{}][^{}]*)\}\}\)")
_MARKED = re.compile(r"!\[\s*image\s*\]\(\{\{(\s*[^\s{}]+\s*)\}\}\)")


class LinesList(list[Any]):
    """A list that prints one item a line, so that each picture in it has a line of its own."""

    def __str__(self) -> str:
        return "\n".join(map(str, self))


def in_lines(value: Any) -> Any:
    """The value with every list in it, and in its dicts, as a LinesList."""
    if isinstance(value, dict):
        return {key: in_lines(item) for key, item in value.items()}
    return LinesList(map(in_lines, value)) if isinstance(value, list) else value


def template_images(template: str) -> tuple[str, ...]:
    """The template variables that ``![image]({{name}})`` declares to be pictures, each once, in order."""
    return tuple(dict.fromkeys(name.strip() for name in _DECLARED.findall(template)))


def separate_images(template: str) -> str:
    """The template with each ``![image]({{name}})`` replaced by ``{{name}}`` on a line of its own."""
    return _MARKED.sub(r"\n{{\1}}\n", template)


def placeholders(values: Any) -> Mapping[str, str]:
    """What stands for each picture in a template's values -> its URL, or a data URI when it was not downloaded.

    Pictures are found in lists, tuples and dict values. Raises UserError when two different pictures have one name,
    which would show the model the wrong one.
    """
    images: dict[str, Image] = {}
    for image in find_values(values, Image):
        if images.setdefault(str(image), image) != image:
            raise UserError(f"Two different pictures have the name {image}, so a prompt cannot tell them apart.")
    return {name: image.source_url or image.data_uri for name, image in images.items()}
