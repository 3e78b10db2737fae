"""The target ``docker``: a container of the image for each deployment, reached through 127.0.0.1 only."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flowyard._util.files import write_atomic
from flowyard._util.printable import printable_text
from flowyard.deploy.image.names import DIGEST_LABEL
from flowyard.deploy.model import DeploymentState, Image, WantedDeployment
from flowyard.deploy.options.docker import DockerOptions
from flowyard.deploy.targets.docker.compose import write_compose
from flowyard.deploy.targets.switch.behind_switch import BehindSwitch, free_port
from flowyard.deploy.targets.switch.ready import answers
from flowyard.errors import Conflict, NotFound, OutsideError, UserError

__all__ = ["DockerTarget"]

_INSIDE = 8080
_ANSWER_S = 120
_PULL_S = 900
_DRAIN_S = 45
_CRASHES = 3
_SCRATCH = "/tmp:rw,size=256m"  # noqa: S108 - in the container
_KEY = "FLOWYARD_SERVE_KEY"


class DockerTarget(BehindSwitch):
    """Containers of the engine that ``docker`` talks to, which starts them again when they crash or it starts."""

    label = "docker"
    needs_image = True

    def __init__(self, home: Path, environ: Mapping[str, str], options: DockerOptions) -> None:
        super().__init__(home, environ)
        self._network = options.network

    def look_into_image(self, wanted: WantedDeployment) -> bool:
        """See Target. Its label says the digest of the version; where it is not here yet, it is pulled."""
        self._inspected_image(wanted)
        return True

    def prepare(self, wanted: WantedDeployment, folder: Path) -> Mapping[str, Any]:
        """A port of its own, which stays when the container is started again, and a name of its own.

        Other homes may have deployments of the same name in the same engine, which must never be taken for this one.
        """
        del folder
        image = _image_of(wanted)
        self._inspected_image(wanted)
        return {"image": image.reference, "image_digest": image.digest, "port": free_port(), **_named(wanted)}

    def begin(self, wanted: WantedDeployment, folder: Path) -> None:
        """Create the container with its variables, which the engine keeps, and start it."""
        state = self._inspected(wanted.endpoint, wanted.name)
        if state is None:
            self._create(wanted, folder)
        elif not state["State"]["Running"]:
            self._docker("start", self._container(wanted.endpoint, wanted.name))
        port = self._port(folder)
        if not (folder / "address").exists():
            write_atomic(folder / "address", f"http://127.0.0.1:{port}")

    def end(self, endpoint: str, name: str, folder: Path) -> None:
        """Stop it with time to finish its requests, and remove it."""
        del folder
        if self._inspected(endpoint, name) is not None:
            self._docker("stop", "--time", str(_DRAIN_S), self._container(endpoint, name))
            self._docker("rm", "--force", self._container(endpoint, name))

    def look(self, endpoint: str, name: str, folder: Path) -> tuple[DeploymentState, str]:
        """See BehindSwitch. One that crashed often runs now and then; whether it recovered, only its answer says."""
        found = self._inspected(endpoint, name)
        if found is None:
            return "stopped", "It has no container."
        state, crashes = found["State"], int(found.get("RestartCount", 0))
        if not state["Running"] and not state.get("Restarting"):
            return "stopped", f"Its container ended with {state['ExitCode']}."
        if crashes >= _CRASHES and not answers(f"http://127.0.0.1:{self._port(folder)}"):
            return "failed", f"Its container ended {crashes} times, and does not answer."
        return "creating", ""

    def log_lines(self, endpoint: str, name: str, folder: Path, count: int) -> Sequence[str]:
        """See BehindSwitch."""
        del folder
        if self._inspected(endpoint, name) is None:
            return []
        done = self._run("logs", "--tail", str(count), self._container(endpoint, name))
        return (done.stdout + done.stderr).splitlines()[-count:]

    def export(self, wanted: WantedDeployment, folder: Path) -> Sequence[Path]:
        """A compose file, and an example of the file with its variables, whose values a person fills in."""
        if folder.exists() and any(folder.iterdir()):
            raise Conflict(f"There is something in {folder}.", hint="Name a new or an empty folder.")
        return write_compose(wanted, folder)

    def _create(self, wanted: WantedDeployment, folder: Path) -> None:
        image = self._inspected_image(wanted)
        port, name = self._port(folder), self._container(wanted.endpoint, wanted.name)
        labels = {"endpoint": wanted.endpoint, "deployment": wanted.name, "version": wanted.version_label}
        words = ["create", "--name", name, "--restart", "unless-stopped", "--init", "--read-only"]
        words += ["--tmpfs", _SCRATCH, "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
        words += [word for key, value in labels.items() for word in ("--label", f"flowyard.{key}={value}")]
        words += ["--cpus", f"{wanted.cpu:g}"] if wanted.cpu else []
        words += ["--memory", f"{wanted.memory_mb}m"] if wanted.memory_mb else []
        if self._network == "host":
            words += ["--network", "host"]
            command = self._command_at(image, _image_of(wanted).reference, port)
        else:
            words += ["--publish", f"127.0.0.1:{port}:{_INSIDE}"]
            command = []
        variables = {_KEY: self._key(wanted.endpoint), "FLOWYARD_HOME": "/tmp/flowyard", **wanted.variables}  # noqa: S108
        with _variables_file(variables) as file:
            self._docker(*words, "--env-file", file, str(image["Id"]), *command)
        self._docker("start", name)

    def _inspected_image(self, wanted: WantedDeployment) -> dict[str, Any]:
        """What the engine says of the image, which is the version's. Raises UserError for another, and NotFound.

        A container is made of the image that was looked at, by its id: a tag may be moved in between.
        """
        image = _image_of(wanted)
        if "@" in image.reference and self._run("image", "inspect", image.reference).returncode:
            self._docker("pull", "--quiet", image.reference, wait_s=_PULL_S)
        found: dict[str, Any] = json.loads(self._docker("image", "inspect", image.reference))[0]
        if "@" not in image.reference and found["Id"] != image.digest:
            raise UserError(
                f"{image.reference} was tagged anew since it was built: it is {found['Id'][:19]} now.",
                hint="Run the command again: the image is then looked for, or built. With --no-build: deploy it to the "
                "environment before again, or push images (image: {repository: …}).",
            )
        held = (found["Config"].get("Labels") or {}).get(DIGEST_LABEL)
        if held != wanted.digest:
            holds = f"the flow version {printable_text(held[:19])}…" if held else "no flow version that it names"
            raise UserError(
                f"{image.reference} holds {holds}, not {wanted.version_label} ({wanted.digest[:12]}…).",
                hint=f"Images of flowyard say it in the label {DIGEST_LABEL}: flowyard image build",
            )
        return found

    def _command_at(self, image: Mapping[str, Any], reference: str, port: int) -> list[str]:
        """The image's own command, but listening on 127.0.0.1 at this port."""
        command = list(image["Config"].get("Cmd") or [])
        for option, value in (("--host", "127.0.0.1"), ("--port", str(port))):
            if option not in command[:-1]:
                raise UserError(f"{reference} does not say {option} in its command, so it cannot be moved.")
            command[command.index(option) + 1] = value
        return command

    def _key(self, endpoint: str) -> str:
        """The key of the endpoint: the environment's, or one that was drawn once, readable for its owner only."""
        if self.environ.get(_KEY):
            return self.environ[_KEY]
        file = self.place(endpoint).path / "key"
        if not file.exists():
            write_atomic(file, secrets.token_urlsafe(32), mode=0o600)
        return file.read_text("utf-8")

    def headers(self, endpoint: str) -> dict[str, str]:
        """See BehindSwitch."""
        return {"Authorization": f"Bearer {self._key(endpoint)}"}

    def _container(self, endpoint: str, name: str) -> str:
        """What the deployment's container is called; what no container is called when it was never made."""
        try:
            return str(self.place(endpoint).facts(name)["container"])
        except NotFound:
            return f"flowyard-{endpoint}-{name}"

    def _port(self, folder: Path) -> int:
        return int(json.loads((folder / "deployment.json").read_text("utf-8"))["port"])

    def _inspected(self, endpoint: str, name: str) -> dict[str, Any] | None:
        done = self._run("container", "inspect", self._container(endpoint, name))
        if done.returncode == 0:
            found: dict[str, Any] = json.loads(done.stdout)[0]
            return found
        if "no such" in done.stderr.lower():
            return None
        raise OutsideError(f"docker does not answer: {_last(done.stderr)}", hint="Is it running? docker version")

    def _docker(self, *words: str, wait_s: int = _ANSWER_S) -> str:
        """What a command says. Raises OutsideError, and NotFound for an image that is not there."""
        done = self._run(*words, wait_s=wait_s)
        if done.returncode == 0:
            return done.stdout
        if "no such image" in done.stderr.lower() or "pull access denied" in done.stderr.lower():
            raise NotFound(f"docker {words[0]}: {_last(done.stderr)}", hint="Build it: flowyard image build")
        raise OutsideError(f"docker {words[0]}: {_last(done.stderr)}")

    def _run(self, *words: str, wait_s: int = _ANSWER_S) -> subprocess.CompletedProcess[str]:
        program = shutil.which("docker", path=self.environ.get("PATH"))
        if program is None:
            raise OutsideError("There is no docker on this machine.", hint="Install Docker, or use the target local.")
        try:
            return subprocess.run(  # noqa: S603 - the engine's own program, no shell
                [program, *words],
                env=self.environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=wait_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise OutsideError(f"docker {words[0]} did not answer within {wait_s} s.") from None


class _variables_file:  # noqa: N801 - used like a function
    """A file for ``--env-file`` that only its owner can read, gone when the context ends; argv is seen by everyone."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        wrong = [name for name, value in variables.items() if "\n" in value]
        if wrong:
            raise UserError(f"The variable {wrong[0]} has more than one line, which docker cannot take.")
        self._text = "".join(f"{name}={value}\n" for name, value in variables.items())

    def __enter__(self) -> str:
        handle, self._path = tempfile.mkstemp(prefix="flowyard-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(self._text)
        return self._path

    def __exit__(self, *_: object) -> None:
        Path(self._path).unlink(missing_ok=True)


def _image_of(wanted: WantedDeployment) -> Image:
    if wanted.image is None:
        raise UserError(f"The target docker runs images, and there is none of {wanted.version_label}.")
    return wanted.image


def _named(wanted: WantedDeployment) -> dict[str, str]:
    return {"container": f"flowyard-{wanted.endpoint}-{wanted.name}-{secrets.token_hex(4)}"}


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "nothing was said"
