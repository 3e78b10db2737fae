"""What is known of images that were built here: a folder for each, with its context, log and list of parts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from flowyard._util.files import dump_json, write_atomic
from flowyard.errors import NotFound

__all__ = ["ImageRecord", "ImageRecords"]

_RECORD = "image.json"


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image of one flow version. ``key`` follows from everything that goes into it; ``image`` is its own digest.

    ``reference`` is what the engine finds it by. ``pushed`` are the references, by digest, in repositories.
    ``built_at`` is ISO 8601 in UTC, ``size`` in bytes.
    """

    key: str
    version_label: str
    version_digest: str
    builder: str
    reference: str
    image: str
    base: str
    base_digest: str
    size: int
    pushed: tuple[str, ...] = ()
    built_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


class ImageRecords:
    """Records below ``home / "images"``, one folder for each key."""

    def __init__(self, home: Path) -> None:
        self.root = home / "images"

    def folder(self, key: str) -> Path:
        """The folder of a key, which is made when it is missing."""
        if not re.fullmatch(r"[0-9a-f]{16}", key):
            raise NotFound(f"{key!r} is no key of an image.")
        place = self.root / key
        place.mkdir(parents=True, exist_ok=True)
        return place

    def find(self, key: str) -> ImageRecord | None:
        """The record of that key, if the image was built to its end."""
        try:
            found = json.loads((self.root / key / _RECORD).read_text("utf-8"))
            return ImageRecord(**{**found, "pushed": tuple(found["pushed"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def save(self, record: ImageRecord) -> None:
        """Write a record, whole or not at all."""
        write_atomic(self.folder(record.key) / _RECORD, dump_json(asdict(record), indent=2))

    def all(self) -> Iterator[ImageRecord]:
        """All records, the newest first."""
        keys = [each.name for each in self.root.iterdir()] if self.root.is_dir() else []
        found = [record for record in map(self.find, keys) if record]
        return iter(sorted(found, key=lambda each: (each.built_at, each.key), reverse=True))

    def get(self, name: str) -> ImageRecord:
        """The newest image with that key, version label, reference or digest. Raises NotFound."""
        for record in self.all():
            if name in (record.key, record.version_label, record.reference, record.image, *record.pushed):
                return record
        raise NotFound(f"No image {name!r} was built here.", hint="Known ones: flowyard image list")

    def sbom(self, key: str) -> Path:
        """Where the list of an image's parts is."""
        return self.root / key / "sbom.json"
