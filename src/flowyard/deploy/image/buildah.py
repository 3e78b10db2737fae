"""Images by buildah, which needs no daemon."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from flowyard.deploy.image.archive import read_file_of_image, write_without_times
from flowyard.deploy.image.builder import BaseImage, BuilderParts, Built, EngineBuilder, require_sbom
from flowyard.deploy.image.dockerfile import EPOCH, SBOM_PLACE, STAMP
from flowyard.deploy.image.program import Program, build_arguments, build_environ
from flowyard.sessions.environments.build_log import BuildLog

__all__ = ["BuildahBuilder"]

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class BuildahBuilder(EngineBuilder):
    """Images in the storage of containers/storage. Isolation and storage driver are those that buildah is set to."""

    label = "buildah"

    def __init__(self, parts: BuilderParts) -> None:
        super().__init__(parts)
        self._buildah = Program("buildah", parts.environ)

    def base(self, name: str) -> BaseImage:
        """See EngineBuilder."""
        if self._buildah.ask("inspect", "--type", "image", name).returncode:
            self.parts.say(f"Fetching {name} …")
            self._buildah.tell("pull", "--quiet", name)
        found = json.loads(self._buildah.tell("inspect", "--type", "image", name))
        return BaseImage(name, f"sha256:{found['FromImageID']}", len(found["Docker"]["rootfs"]["diff_ids"]))

    def has(self, reference: str, digest: str) -> bool:
        """See EngineBuilder."""
        done = self._buildah.ask("inspect", "--type", "image", "--format", "{{.FromImageID}}", reference)
        return done.returncode == 0 and f"sha256:{done.stdout.strip()}" == digest

    def make(self, context: Path, reference: str, labels: Mapping[str, str], base: BaseImage, log: BuildLog) -> Built:
        """See EngineBuilder. The format is Docker's, because the other one has no health check."""
        environ = build_environ(self.parts.environ)
        words = ["build", "--network", "host", "--format", "docker", "--timestamp", str(EPOCH), "--pull-never"]
        words += ["--tag", reference, "--build-arg", f"BASE_IMAGE={base.name}", *build_arguments(environ)]
        words += [word for name, value in sorted(labels.items()) for word in ("--label", f"{name}={value}")]
        argv = [self._buildah.path(), *words, str(context)]
        log.run(argv, env=environ, where=None, doing="Building the image with buildah")
        return self._without_names(reference, base, log)

    def push(self, reference: str, target: str) -> str:
        """See EngineBuilder. A registry of this machine may be without TLS, as docker has it."""
        host = urlsplit(f"//{target}").hostname
        plain = ["--tls-verify=false"] if host in _LOOPBACK else []
        with tempfile.TemporaryDirectory(prefix="flowyard-") as work:
            file = Path(work) / "digest"
            self._buildah.tell("push", "--quiet", *plain, "--digestfile", str(file), reference, f"docker://{target}")
            return file.read_text("utf-8").strip()

    def _without_names(self, reference: str, base: BaseImage, log: BuildLog) -> Built:
        """The image without the names of stages, which are drawn anew for each build; times are out already."""
        log.say("Taking out what differs from build to build …")
        before = self._image(reference)
        with tempfile.TemporaryDirectory(prefix="flowyard-") as work:
            saved, plain = Path(work) / "saved.tar", Path(work) / "plain.tar"
            self._buildah.tell("push", "--quiet", before, f"docker-archive:{saved}")
            digest = write_without_times(saved, plain, base.layers, EPOCH, STAMP)
            saved.unlink()
            self._buildah.tell("pull", "--quiet", f"docker-archive:{plain}")
            sbom, size = require_sbom(read_file_of_image(plain, SBOM_PLACE)), plain.stat().st_size
        after = digest.removeprefix("sha256:")
        self._buildah.tell("tag", after, reference)
        if after != before:
            self._buildah.ask("rmi", before)
        return Built(digest, size, sbom)

    def _image(self, reference: str) -> str:
        return self._buildah.tell("inspect", "--type", "image", "--format", "{{.FromImageID}}", reference).strip()
