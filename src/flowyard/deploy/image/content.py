"""What goes into an image: a flow's files exactly as they are registered, or would be, and what they need."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flowyard.flows.load import load_flow
from flowyard.flows.model import Flow
from flowyard.registry.flow_files import flow_draft
from flowyard.registry.model import Version

__all__ = ["FlowContent", "content_of_source", "content_of_version", "write_files"]


@dataclass(frozen=True, slots=True)
class FlowContent:
    """``files`` are (name, where to read it), sorted by name; ``definition`` is the name of the flow's own file.

    ``digest`` is that of a registered version. ``version_label`` is ``name:version``, None when it is not registered;
    ``revision`` is the commit that it comes from, where that is known.
    """

    flow: Flow
    files: tuple[tuple[str, Path], ...]
    definition: str
    digest: str
    version_label: str | None = None
    revision: str | None = None

    @property
    def title(self) -> str:
        """The name without what an image's name cannot have."""
        name = (self.version_label or self.flow.name).partition(":")[0].lower()
        return "".join(each if each.isascii() and each.isalnum() else "-" for each in name).strip("-") or "flow"


@contextmanager
def content_of_source(path: Path, selected: Mapping[str, str]) -> Iterator[FlowContent]:
    """A flow where it is worked on; its files can be read until the context ends. Raises as ``flow_draft`` does."""
    with flow_draft(path, selected=selected) as (draft, flow):
        names = [file.name for file in draft.files]
        files = tuple(zip(names, draft.places, strict=True))
        yield FlowContent(flow, files, str(draft.settings["definition"]), draft.digest)


def content_of_version(version: Version, folder: Path, revision: str | None = None) -> FlowContent:
    """A registered version whose checked files are in ``folder``."""
    definition = str(version.settings.get("definition", "flow.dag.yaml"))
    files = tuple((file.name, folder / file.name) for file in version.files)
    flow = load_flow(folder / definition)
    return FlowContent(flow, files, definition, version.digest, version.label, revision)


def write_files(content: FlowContent, target: Path) -> None:
    """Copy the files into a new folder, byte for byte."""
    for name, path in content.files:
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
