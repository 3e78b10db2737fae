"""Images as archives: their times are taken out, so that the same content is the same image, and files are read.

Docker writes the time of the build into each layer and into the image's configuration, buildah the names of stages. The
layers of the base image stay as they are; the others get one fixed time, and so does the configuration. What an
image is called (its digest) then follows from what is in it.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from flowyard.errors import OutsideError

__all__ = ["read_file_of_image", "write_without_times"]

_TIME_HEADERS = ("mtime", "atime", "ctime")
_COPIED = re.compile(r"\b(dir|file|multi):[0-9a-f]{64}")
"""A digest that says nothing more than the layer's own, but depends on the order of files."""
_BUILD_ONLY = ("container", "container_config", "docker_version", "parent")
"""What is noted of the containers and stages that instructions ran in."""


def write_without_times(source: Path, target: Path, base_layers: int, epoch: int, stamp: str) -> str:
    """Write the ``docker save`` archive of one image anew; returns its digest, ``sha256:`` and all.

    ``base_layers`` is how many of its layers belong to the base image. ``epoch`` is the time for the rest, in seconds,
    ``stamp`` the same as ISO 8601. Raises OutsideError for an archive that is not as Docker writes it.
    """
    with tarfile.open(source) as archive, tarfile.open(target, "w") as written:
        manifest, config = _parts(archive)
        names: list[str] = []
        digests: list[str] = list(config["rootfs"]["diff_ids"][:base_layers])
        for number, name in enumerate(manifest["Layers"]):
            layer = archive.extractfile(name)
            if layer is None:
                raise OutsideError(f"The engine's archive of the image has no layer {name}.")
            names.append(f"layer-{number}.tar")
            if number < base_layers:
                _add(written, names[-1], layer, layer.seek(0, io.SEEK_END))
                continue
            plain = target.parent / "layer.tar"
            digests.append(_flatten(layer, plain, epoch))
            with plain.open("rb") as file:
                _add(written, names[-1], file, plain.stat().st_size)
            plain.unlink()
        text = json.dumps(_plain_config(config, digests, base_layers, stamp), sort_keys=True).encode()
        digest = hashlib.sha256(text).hexdigest()
        _add(written, f"{digest}.json", io.BytesIO(text), len(text))
        listed = json.dumps(
            [{"Config": f"{digest}.json", "RepoTags": manifest.get("RepoTags"), "Layers": names}]
        ).encode()
        _add(written, "manifest.json", io.BytesIO(listed), len(listed))
    return f"sha256:{digest}"


def read_file_of_image(source: Path, place: str) -> bytes | None:
    """The content of a file in the image of a ``docker save`` archive, by its absolute path; None without one."""
    with tarfile.open(source) as archive:
        manifest, _ = _parts(archive)
        for name in reversed(manifest["Layers"]):
            layer = archive.extractfile(name)
            if layer is None:
                continue
            with tarfile.open(fileobj=layer, mode="r:*") as files:
                for member in files:
                    if member.name.removeprefix("./") == place.lstrip("/"):
                        found = files.extractfile(member)
                        return found.read() if found else None
    return None


def _parts(archive: tarfile.TarFile) -> tuple[dict[str, Any], dict[str, Any]]:
    """The manifest's one entry, and the image's configuration."""
    try:
        manifest = json.load(archive.extractfile("manifest.json") or io.BytesIO())[0]
        config = json.load(archive.extractfile(manifest["Config"]) or io.BytesIO())
        if len(config["rootfs"]["diff_ids"]) != len(manifest["Layers"]):
            raise ValueError("layers without a digest")
    except (KeyError, ValueError, IndexError) as error:
        raise OutsideError(f"The engine's archive of the image cannot be read: {error}") from None
    return manifest, config


def _flatten(layer: IO[bytes], target: Path, epoch: int) -> str:
    """Write a layer with one time for all of its files; returns the digest of what was written."""
    with tarfile.open(fileobj=layer, mode="r|*") as files, tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as out:
        for member in files:
            plain = copy.copy(member)
            plain.mtime, plain.uname, plain.gname = epoch, "", ""
            plain.pax_headers = {name: value for name, value in member.pax_headers.items() if name not in _TIME_HEADERS}
            out.addfile(plain, files.extractfile(member) if member.isreg() else None)
    with target.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _plain_config(config: Mapping[str, Any], digests: list[str], base_layers: int, stamp: str) -> dict[str, Any]:
    """The configuration without times and without what the engine notes of its own work."""
    plain = {name: value for name, value in config.items() if name not in _BUILD_ONLY}
    plain["created"] = stamp
    plain["rootfs"] = {**config["rootfs"], "diff_ids": digests}
    plain["config"] = {name: value for name, value in config["config"].items() if name not in ("Hostname", "Image")}
    history, seen = [], 0
    for entry in config.get("history", []):
        is_base = seen < base_layers
        seen += 0 if entry.get("empty_layer") else 1
        said = _COPIED.sub(r"\1", str(entry.get("created_by", "")))
        own = {name: value for name, value in entry.items() if name != "comment"}
        history.append(entry if is_base else {**own, "created": stamp, "created_by": said})
    plain["history"] = history
    return plain


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    content.seek(0)
    archive.addfile(member, content)
