"""An image that was built and pushed elsewhere, for one in a pipeline before this one, and is named by its digest."""

from __future__ import annotations

import re
from pathlib import Path

from flowyard.abc import ImageBuilder
from flowyard.deploy.model import Image
from flowyard.errors import UserError
from flowyard.registry.model import Version

__all__ = ["GivenImage"]

_BY_DIGEST = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._:/-]*)@(?P<digest>sha256:[0-9a-f]{64})")


class GivenImage(ImageBuilder):
    """Builds nothing: whoever deploys answers for what is in the image. Raises UserError for one without a digest."""

    def __init__(self, reference: str) -> None:
        found = _BY_DIGEST.fullmatch(reference)
        if found is None:
            raise UserError(
                "--image names an image by its digest, and this one has none.",  # not shown: it may have a login in it
                hint="HOST/NAME@sha256:…, as `flowyard image build --push` says it; tags can be moved.",
            )
        self._reference, self._digest = reference, found["digest"]

    def build(self, version: Version, folder: Path, repository: str | None = None) -> Image:
        """See ImageBuilder."""
        del folder, repository
        return self.image_of(version.label)

    def image_of(self, version_label: str) -> Image:
        """The image, for a version."""
        return Image(self._reference, self._digest, version_label)
