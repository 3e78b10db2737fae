"""Images by buildah, which needs no daemon and can leave times out by itself."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from flowyard.deploy.image.archive import read_file_of_image
from flowyard.deploy.image.builder import BaseImage, BuilderParts, Built, EngineBuilder, require_sbom
from flowyard.deploy.image.dockerfile import EPOCH, SBOM_PLACE
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
        image = self._buildah.tell("inspect", "--type", "image", "--format", "{{.FromImageID}}", reference).strip()
        with tempfile.TemporaryDirectory(prefix="flowyard-") as work:
            saved = Path(work) / "saved.tar"
            self._buildah.tell("push", "--quiet", image, f"docker-archive:{saved}")
            sbom, size = require_sbom(read_file_of_image(saved, SBOM_PLACE)), saved.stat().st_size
        return Built(f"sha256:{image}", size, sbom)

    def push(self, reference: str, target: str) -> str:
        """See EngineBuilder. A registry of this machine may be without TLS, as docker has it."""
        host = urlsplit(f"//{target}").hostname
        plain = ["--tls-verify=false"] if host in _LOOPBACK else []
        with tempfile.TemporaryDirectory(prefix="flowyard-") as work:
            file = Path(work) / "digest"
            self._buildah.tell("push", "--quiet", *plain, "--digestfile", str(file), reference, f"docker://{target}")
            return file.read_text("utf-8").strip()
