"""Packages made on the spot, and a worker that answers questions over length-prefixed frames."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import subprocess
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from functional_helper import clean_environment
from packaging.utils import canonicalize_name

from flowyard.deploy.image.own_wheel import serving_requirements
from flowyard.sessions.environments import WorkerCommand, WorkerEnvironment
from flowyard.sessions.environments.own_packages import own_packages

_ECHO = """\
import json, struct, sys
while len(head := sys.stdin.buffer.read(4)) == 4:
    question = sys.stdin.buffer.read(struct.unpack(">I", head)[0]).decode()
    answer = json.dumps(eval(question)).encode()
    sys.stdout.buffer.write(struct.pack(">I", len(answer)) + answer)
    sys.stdout.buffer.flush()
"""

BACKEND = """\
import os, pathlib, shutil, time


def build_wheel(folder, settings=None, metadata=None):
    pathlib.Path({started!r}).touch()
    while not os.path.exists({may_end!r}):
        time.sleep(0.02)
    wheel = next(pathlib.Path({wheels!r}).glob("slowlib-*.whl"))
    shutil.copy(wheel, folder)
    return wheel.name
"""


def make_wheel(folder: Path, name: str, version: str, *, requires: Iterable[str] = (), code: str = "") -> Path:
    """A wheel with one module of that name, which knows its version."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    return write_wheel(
        folder / f"{name}-{version}-py3-none-any.whl",
        info,
        {
            f"{name}.py": f"version = {version!r}\n{code}".encode(),
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}".encode(),
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        },
    )


def write_wheel(file: Path, info: str, files: Mapping[str, bytes]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    record = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in files.items()]
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,"]) + "\n")
    return file


def wheels_of_own_packages(folder: Path) -> None:
    """What flowyard needs, also where it only serves, as installed here, packed into wheels again."""
    for name in {*own_packages(), *(canonicalize_name(each.name) for each in serving_requirements())}:
        distribution = metadata.distribution(name)
        files = [file for file in distribution.files or () if file.parts[0] != ".." and "__pycache__" not in file.parts]
        wanted = [file for file in files if file.name not in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")]
        info = next(file.parts[0] for file in files if file.parts[0].endswith(".dist-info"))
        content = {str(file): Path(str(distribution.locate_file(file))).read_bytes() for file in wanted}
        tag = next(line for line in content[f"{info}/WHEEL"].decode().splitlines() if line.startswith("Tag: "))
        stem = f"{distribution.name.replace('-', '_')}-{distribution.version}"
        write_wheel(folder / f"{stem}-{tag.removeprefix('Tag: ')}.whl", info, content)


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def slow_package(folder: Path, wheels: Path, started: Path, may_end: Path) -> Path:
    """A package whose build says that it has started, and ends when it may."""
    make_wheel(wheels, "slowlib", "1.0")
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "slowlib"\nversion = "1.0"\n'
    )
    code = BACKEND.format(started=str(started), may_end=str(may_end), wheels=str(wheels))
    (folder / "backend.py").write_text(code)
    return folder


class Worker:
    """A process that evaluates expressions."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def tell(self, expression: str) -> None:
        data = expression.encode()
        assert self.process.stdin
        self.process.stdin.write(struct.pack(">I", len(data)) + data)
        self.process.stdin.flush()

    def ask(self, expression: str) -> Any:
        self.tell(expression)
        assert self.process.stdout
        head = self.process.stdout.read(4)
        assert len(head) == 4, "the worker has ended"
        return json.loads(self.process.stdout.read(struct.unpack(">I", head)[0]))

    def version_of(self, module: str) -> str:
        return str(self.ask(f"__import__({module!r}).version"))


def echo_command(environment: WorkerEnvironment) -> WorkerCommand:
    """The environment's command, with the echo in the place of the module."""
    command = environment.command("a.module")
    assert command.argv[-2:] == ("-m", "a.module")
    return WorkerCommand((*command.argv[:-2], "-c", _ECHO), command.env, command.container)


@contextmanager
def started(environment: WorkerEnvironment, cwd: Path | None = None, without: str = "") -> Iterator[Worker]:
    """A worker in an environment; it ends when its stdin is closed. ``without`` is a variable that it does not get."""
    command = echo_command(environment)
    environ = {**clean_environment(), **command.env}
    environ.pop(without, None)
    with subprocess.Popen(command.argv, env=environ, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Worker(process)
        except BaseException:
            process.kill()
            raise
        finally:
            assert process.stdin
            process.stdin.close()
    assert process.returncode == 0
