"""Images by Docker, with BuildKit or without."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from flowyard.deploy.image.archive import read_file_of_image, write_without_times
from flowyard.deploy.image.builder import BaseImage, BuilderParts, Built, EngineBuilder, require_sbom, stage_filter
from flowyard.deploy.image.dockerfile import EPOCH, SBOM_PLACE, STAMP
from flowyard.deploy.image.program import Program, build_arguments, build_environ
from flowyard.errors import OutsideError
from flowyard.sessions.environments.build_log import BuildLog

__all__ = ["DockerBuilder"]

_DIGEST = re.compile(r"digest: (sha256:[0-9a-f]{64})")


class DockerBuilder(EngineBuilder):
    """Builds, then takes the times out of what was built, because neither of Docker's builders leaves them out."""

    label = "docker"

    def __init__(self, parts: BuilderParts) -> None:
        super().__init__(parts)
        self._docker = Program("docker", parts.environ)

    def base(self, name: str) -> BaseImage:
        """See EngineBuilder."""
        done = self._docker.ask("image", "inspect", name)
        if done.returncode:
            self._docker.tell("version", "--format", "{{.Server.Version}}")
            self.parts.say(f"Fetching {name} …")
            self._docker.tell("pull", "--quiet", name)
            done = self._docker.ask("image", "inspect", name)
        found = json.loads(done.stdout)[0]
        return BaseImage(name, found["Id"], len(found["RootFS"]["Layers"]))

    def has(self, reference: str, digest: str) -> bool:
        """See EngineBuilder."""
        done = self._docker.ask("image", "inspect", "--format", "{{.Id}}", reference)
        return done.returncode == 0 and done.stdout.strip() == digest

    def make(self, context: Path, reference: str, labels: Mapping[str, str], base: BaseImage, log: BuildLog) -> Built:
        """See EngineBuilder."""
        environ = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1", **build_environ(self.parts.environ)}
        if self._docker.ask("buildx", "version").returncode:
            environ.setdefault("DOCKER_BUILDKIT", "0")
        words = ["build", "--network", "host", "--tag", reference, *build_arguments(environ)]
        words += ["--build-arg", f"BASE_IMAGE={base.name}"]
        words += [word for name, value in sorted(labels.items()) for word in ("--label", f"{name}={value}")]
        try:
            argv = [self._docker.path(), *words, str(context)]
            log.run(argv, env=environ, where=None, doing="Building the image with docker")
        finally:
            self._docker.ask("image", "prune", "--force", "--filter", f"label={stage_filter(context)}")
        return self._without_times(reference, base, log)

    def push(self, reference: str, target: str) -> str:
        """See EngineBuilder."""
        self._docker.tell("tag", reference, target)
        said = self._docker.tell("push", target)
        found = _DIGEST.search(said)
        if found is None:
            raise OutsideError(f"docker push did not say the digest of {target}.")
        return found[1]

    def _without_times(self, reference: str, base: BaseImage, log: BuildLog) -> Built:
        log.say("Taking the times out, so that the same content has the same digest …")
        with tempfile.TemporaryDirectory(prefix="flowyard-") as work:
            saved, plain = Path(work) / "saved.tar", Path(work) / "plain.tar"
            before = self._docker.tell("image", "inspect", "--format", "{{.Id}}", reference).strip()
            self._docker.tell("save", "--output", str(saved), reference)
            write_without_times(saved, plain, base.layers, EPOCH, STAMP)
            saved.unlink()
            self._docker.tell("load", "--quiet", "--input", str(plain))
            sbom = require_sbom(read_file_of_image(plain, SBOM_PLACE))
        found = json.loads(self._docker.tell("image", "inspect", reference))[0]
        if found["Id"] != before:
            self._docker.ask("image", "rm", before)
        return Built(found["Id"], int(found["Size"]), sbom)
