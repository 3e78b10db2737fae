"""A container engine of the tests' own, with a base image that is made once and kept outside the repository.

It needs root, ``dockerd`` and ``debootstrap`` (scripts/test.sh installs them where it may). Where it cannot be started,
the tests that need it are skipped.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from flowyard._util.lock import locked

BASE_IMAGE = "python:3.11-slim"
PROGRAMS = ("dockerd", "docker", "debootstrap", "tar")
_SUITE = "bookworm"
_PACKAGES = "python3,python3-venv,ca-certificates"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True)
class EngineOfTests:
    """A running dockerd: ``variables`` are what makes ``docker`` talk to it."""

    variables: dict[str, str]

    def docker(self, *words: str) -> str:
        environ = {**os.environ, **self.variables}
        done = subprocess.run(["docker", *words], env=environ, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def running_engine() -> Iterator[EngineOfTests]:
    """Start an engine with nothing in it but the base image; it is gone afterwards. Skips where that cannot be."""
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing or not hasattr(os, "getuid") or os.getuid() != 0:
        pytest.skip(f"no container engine can be started here: not root, or without {', '.join(missing)}")
    base = base_image()
    folder = Path(tempfile.mkdtemp(prefix="fyd"))
    try:
        engine = EngineOfTests(_variables(folder))
        with _dockerd(folder, engine):
            engine.docker("import", str(base), BASE_IMAGE)
            yield engine
    finally:
        _unmount(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _variables(folder: Path) -> dict[str, str]:
    """The client that belongs to the daemon goes first: a newer one may refuse to talk to it."""
    programs = folder / "bin"
    programs.mkdir()
    daemon = Path(shutil.which("dockerd") or "")
    beside = [daemon.parent / "docker", daemon.parent.parent / "bin" / "docker"]
    client = next((str(each) for each in beside if each.exists()), shutil.which("docker"))
    (programs / "docker").symlink_to(str(client))
    return {
        "DOCKER_HOST": f"unix://{folder}/docker.sock",
        "DOCKER_CONFIG": str(folder / "config"),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
    }


@contextmanager
def _dockerd(folder: Path, engine: EngineOfTests) -> Iterator[None]:
    argv = ["dockerd", "--storage-driver=overlay2", "--iptables=false", "--bridge=none"]
    argv += ["-H", engine.variables["DOCKER_HOST"], "-p", f"{folder}/pid"]
    argv += ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for(process, engine, folder / "log")
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=60)


def _wait_for(process: subprocess.Popen[bytes], engine: EngineOfTests, log: Path) -> None:
    until = time.monotonic() + 90
    environ = {**os.environ, **engine.variables}
    while time.monotonic() < until and process.poll() is None:
        answer = subprocess.run(["docker", "version"], env=environ, capture_output=True, check=False, timeout=90)
        if answer.returncode == 0:
            return
        time.sleep(0.2)
    pytest.skip("dockerd does not start here: " + "; ".join(log.read_text("utf-8", "replace").splitlines()[-3:]))


def _unmount(folder: Path) -> None:
    """What a daemon leaves mounted would keep its folder from being deleted."""
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for point in sorted((each for each in mounted if each.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "--lazy", point], capture_output=True, check=False, timeout=60)


def base_image() -> Path:
    """A root file system with Python as a tar file, made once by debootstrap."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flowyard-tests"
    cache.mkdir(parents=True, exist_ok=True)
    image = cache / f"python-{_SUITE}-1.tar"
    with locked(cache / "lock"):
        if not image.exists():
            with tempfile.TemporaryDirectory(dir=cache, prefix="making-") as place:
                _make_base_image(Path(place)).replace(image)
    return image


def _make_base_image(place: Path) -> Path:
    root, tar = place / "root", place / "image.tar"
    _run(["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _SUITE, str(root), _mirror()])
    if _CERTIFICATES.exists():
        shutil.copyfile(_CERTIFICATES, root / _CERTIFICATES.relative_to("/"))
    shutil.rmtree(root / "var" / "cache" / "apt", ignore_errors=True)
    _run(["tar", "-C", str(root), "-cf", str(tar), "."])
    return tar


def _run(argv: Sequence[str]) -> None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=240)
    except subprocess.TimeoutExpired:
        pytest.skip(f"the base image cannot be made here: {argv[0]} takes too long")
    if done.returncode:
        said = "; ".join((done.stdout + done.stderr).splitlines()[-3:])
        pytest.skip(f"the base image cannot be made here: {argv[0]}: {said}")


def _mirror() -> str:
    """Where this machine has its own packages from."""
    folder = Path("/etc/apt")
    files = [*sorted((folder / "sources.list.d").glob("*.sources")), folder / "sources.list"]
    for file in files:
        text = file.read_text("utf-8", "replace") if file.exists() else ""
        found = re.search(r"^(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s+(https?://\S+debian/?)\s*", text, re.MULTILINE)
        if found:
            return found[1]
    pytest.skip("this machine has no Debian mirror")
