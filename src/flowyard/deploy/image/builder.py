"""Building an image of a registered version, whichever program does it: only what is new, and each the same again."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from flowyard._util.lock import locked
from flowyard.abc import ImageBuilder
from flowyard.deploy.image.content import FlowContent, content_of_version
from flowyard.deploy.image.context import base_image, write_context
from flowyard.deploy.image.dockerfile import SBOM_PLACE, STAGE_LABEL
from flowyard.deploy.image.names import require_image_name, require_repository
from flowyard.deploy.image.own_wheel import own_digest
from flowyard.deploy.image.records import ImageRecord, ImageRecords
from flowyard.deploy.model import Image
from flowyard.errors import OutsideError, UserError
from flowyard.registry.model import Version
from flowyard.sessions.environments.build_log import BuildLog

__all__ = ["BaseImage", "BuilderParts", "Built", "EngineBuilder"]


@dataclass(frozen=True, slots=True)
class BuilderParts:
    """``home`` keeps the records. ``base`` is the image to start from, None for the flow's own. ``say`` tells a person.

    ``revision_of`` gives the commit that a version comes from; ``environ`` is what programs are started with.
    """

    home: Path
    environ: Mapping[str, str]
    say: Callable[[str], None]
    base: str | None = None
    revision_of: Callable[[Version], str | None] = lambda _: None


@dataclass(frozen=True, slots=True)
class BaseImage:
    """An image to start from: its name, its digest, and how many layers it has."""

    name: str
    digest: str
    layers: int


@dataclass(frozen=True, slots=True)
class Built:
    """What a program made: the image's digest, its size in bytes, and the list of its parts as JSON."""

    digest: str
    size: int
    sbom: bytes


class EngineBuilder(ImageBuilder):
    """The part that all programs have in common. One subclass for each program."""

    label: str

    def __init__(self, parts: BuilderParts) -> None:
        self.parts = parts
        self.records = ImageRecords(parts.home)

    @abstractmethod
    def base(self, name: str) -> BaseImage:
        """The base image, fetched where it is not there. Raises OutsideError."""

    @abstractmethod
    def has(self, reference: str, digest: str) -> bool:
        """Whether the image is there under that reference."""

    @abstractmethod
    def make(self, context: Path, reference: str, labels: Mapping[str, str], base: BaseImage, log: BuildLog) -> Built:
        """Build a context; the image is there under its reference afterwards. Raises UserError, OutsideError."""

    @abstractmethod
    def push(self, reference: str, target: str) -> str:
        """Push an image to ``repository:tag``; returns the digest of its manifest there. Raises OutsideError."""

    def build(self, version: Version, folder: Path, repository: str | None = None) -> Image:
        """See ImageBuilder."""
        if repository is not None:
            require_repository(repository)
        record = self.record(version, folder)
        if repository is None:
            return Image(record.reference, record.image, version.label)
        tag = record.reference.rpartition(":")[2]
        self.parts.say(f"Pushing {record.reference} to {repository} …")
        digest = self.push(record.reference, f"{repository}:{tag}")
        pushed = f"{repository}@{digest}"
        self.records.save(replace(record, pushed=tuple(dict.fromkeys([*record.pushed, pushed]))))
        return Image(pushed, digest, version.label)

    def record(self, version: Version, folder: Path) -> ImageRecord:
        """The record of the version's image, which is built when there is none, or it is not in the engine any more."""
        content = content_of_version(version, folder, self.parts.revision_of(version))
        base = self.base(require_image_name(self.parts.base or base_image(content.flow)))
        key = self._key(content, base)
        place = self.records.folder(key)
        with locked(place / "lock", lambda: self.parts.say("Waiting for another process that builds this image …")):
            found = self.records.find(key)
            if found and self.has(found.reference, found.image):
                self.parts.say(f"{found.reference} is there already.")
                return found
            return self._built(content, base, key, place, found)

    def _built(
        self, content: FlowContent, base: BaseImage, key: str, place: Path, before: ImageRecord | None
    ) -> ImageRecord:
        context = self._context(content, base, place)
        reference = f"flowyard-{content.title}:{str(content.version_label).partition(':')[2]}-{key[:8]}"
        labels = {
            "flowyard.image": key,
            "org.opencontainers.image.base.name": base.name,
            "org.opencontainers.image.base.digest": base.digest,
        }
        with BuildLog(place / "build.log", self.parts.say) as log:
            log.say(f"Building {reference} with {self.label} from {base.name} …")
            made = self.make(context, reference, labels, base, log)
        (place / "sbom.json").write_bytes(made.sbom)
        record = ImageRecord(
            key=key,
            version_label=str(content.version_label),
            version_digest=content.digest,
            builder=self.label,
            reference=reference,
            image=made.digest,
            base=base.name,
            base_digest=base.digest,
            size=made.size,
            pushed=before.pushed if before and before.image == made.digest else (),
        )
        self.records.save(record)
        return record

    def _context(self, content: FlowContent, base: BaseImage, place: Path) -> Path:
        """The context, written once: what was pinned stays pinned for every later build of the same."""
        target = place / "context"
        if not target.exists():
            self.parts.say("Pinning what it requires …")
            with tempfile.TemporaryDirectory(dir=place, prefix="context-") as work:
                inner = Path(work) / "context"
                written = write_context(content, [], inner, environ=self.parts.environ, base=base.name)
                for warning in written.warnings:
                    self.parts.say(f"Warning: {warning}")
                shutil.move(inner, target)
        return target

    def _key(self, content: FlowContent, base: BaseImage) -> str:
        """What an image is made of; equal keys come to equal images."""
        text = json.dumps(
            [content.version_label, content.digest, content.revision, base.name, base.digest, own_digest(), self.label]
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def stage_filter(context: Path) -> str:
    """The label of the stages of a context, as its Dockerfile says it."""
    for line in (context / "Dockerfile").read_text("utf-8").splitlines():
        if line.startswith(f"LABEL {STAGE_LABEL}="):
            return line.removeprefix("LABEL ")
    raise UserError(f"{context} is no context of flowyard.")


def require_sbom(content: bytes | None) -> bytes:
    """The list of parts that was read from an image. Raises OutsideError when there was none."""
    if content is None:
        raise OutsideError(f"The image that was built has no {SBOM_PLACE}.")
    return content
