"""Pictures that a flow's file names itself: literal inputs that are paths, URLs or image maps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from flowyard._util.aio import run_blocking
from flowyard.errors import OutsideError, UserError
from flowyard.flows.model import Node
from flowyard.llm.template import PromptFile
from flowyard.media import UrlRules, load_media, template_images

__all__ = ["with_pictures", "with_template_pictures"]


def with_template_pictures(
    node: Node, literals: Mapping[str, Any], template: PromptFile, folder: Path, urls: UrlRules
) -> dict[str, Any]:
    """The literals with those loaded that the template shows as ``![image]({{name}})``. Raises UserError."""
    return with_pictures(node, literals, template_images(template.text), folder, urls)


def with_pictures(
    node: Node,
    literals: Mapping[str, Any],
    names: Iterable[str],
    folder: Path,
    urls: UrlRules,
    *,
    as_image: bool = True,
) -> dict[str, Any]:
    """The literals with those of these names replaced by their pictures; paths start from the flow's folder.

    Without ``as_image`` only the one-key maps that stand for pictures are, wherever they lie in lists and mappings. For
    synchronous code outside of the background loop. Raises UserError, OutsideError.
    """
    loaded = dict(literals)
    for name in set(names) & literals.keys():
        try:
            loaded[name] = run_blocking(
                load_media(
                    literals[name],
                    folder=folder,
                    urls=urls,
                    as_image=as_image,
                    format=None if as_image else "basic",
                    name=f"{node.name}.{name}",
                )
            )
        except (UserError, OutsideError) as error:
            raise type(error)(error.message, hint=error.hint, where=node.where) from None
    return loaded
