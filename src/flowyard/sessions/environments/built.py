"""The folder of built environments: each is built once, by one process, and is used whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from flowyard._util.files import dump_json, write_atomic
from flowyard._util.lock import lock as wait_for_lock
from flowyard._util.lock import locked, try_lock, unlock
from flowyard.sessions.environments.build_log import BuildLog

__all__ = ["BuildNote", "Built", "BuiltEnvironments", "Hold", "key_of", "size_of"]

_READY = "ready.json"
_LOG = "build.log"


@dataclass(frozen=True, slots=True)
class BuildNote:
    """What is known about an environment when it is built. ``tool`` built it: uv, pip, docker or podman."""

    kind: str
    flow: str
    tool: str
    requirements: tuple[str, ...] = ()
    image: str | None = None
    built_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


@dataclass(frozen=True, slots=True)
class Built:
    """One built environment: its key (the hash of what it was built from), its folder, and when it was last used."""

    key: str
    folder: Path
    note: BuildNote
    last_used: str


class Hold:
    """Keeps an environment from being deleted while it is used. ``file`` is its lock, held shared."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def release(self) -> None:
        """Let go; a second call does nothing."""
        self._file.close()

    def __del__(self) -> None:
        self.release()


Build = Callable[[Path, BuildLog], BuildNote]
"""Builds an environment in a folder that exists and holds nothing but the log."""


class BuiltEnvironments:
    """Environments by key below ``home / "environments"``, private to the user."""

    def __init__(self, home: Path) -> None:
        self.root = home / "environments"

    def use(
        self, key: str, build: Build, *, say: Callable[[str], None], usable: Callable[[Built], bool]
    ) -> tuple[Built, Hold]:
        """The environment of that key, which is built when there is none that is ready and ``usable``.

        Other processes that want it wait until it is built. What a killed build left is removed first. Hold the
        second value for as long as the environment is used.
        """
        file = self._lock_file(key)

        def waiting() -> None:
            say("Waiting for another process that builds or deletes this environment …")

        while True:
            hold = _hold(file, waiting)
            found = self.find(key)
            if found and usable(found):
                os.utime(found.folder / _READY)
                return found, hold
            hold.release()
            with locked(file, waiting) as lock:
                found = self.find(key)
                if not (found and usable(found)):
                    self._build(key, build, say, lock.fileno())

    def find(self, key: str) -> Built | None:
        """The environment of that key, if it was built to its end."""
        folder = self.root / key
        try:
            text = (folder / _READY).read_text("utf-8")
            used = (folder / _READY).stat().st_mtime
            note = json.loads(text)
            return Built(key, folder, BuildNote(**{**note, "requirements": tuple(note["requirements"])}), _time(used))
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def all(self) -> Iterator[Built]:
        """Every environment that is ready, the one used last first."""
        keys = [each.name for each in self.root.iterdir() if each.is_dir()] if self.root.is_dir() else []
        found = (self.find(key) for key in keys)
        return iter(sorted((each for each in found if each), key=lambda each: each.last_used, reverse=True))

    def unfinished(self) -> list[str]:
        """Keys of folders that a build has left, or is working on."""
        folders = sorted(self.root.iterdir()) if self.root.is_dir() else []
        return [each.name for each in folders if each.is_dir() and each.name != "locks" and not self.find(each.name)]

    def delete(self, key: str, before: Callable[[Built], None] | None = None) -> bool:
        """Remove an environment, or what a build left of one; False when it is being used or built.

        ``before`` removes what lies elsewhere; when it raises, the environment stays.
        """
        with self._lock_file(key).open("a+b") as lock:
            if not try_lock(lock):
                return False
            try:
                built = self.find(key)
                if built and before:
                    before(built)
                self._remove(key)
            finally:
                unlock(lock)
        return True

    def _build(self, key: str, build: Build, say: Callable[[str], None], handle: int) -> None:
        self._remove(key)
        folder = self.root / key
        folder.mkdir(mode=0o700)
        started = time.monotonic()
        with BuildLog(folder / _LOG, say, keep_open=handle) as log:
            note = build(folder, log)
        write_atomic(folder / _READY, dump_json(asdict(note)), mode=0o600)
        say(f"Built in {time.monotonic() - started:.0f} s; it will be used again.")

    def _remove(self, key: str) -> None:
        (self.root / key / _READY).unlink(missing_ok=True)
        if (self.root / key).exists():
            shutil.rmtree(self.root / key)

    def _lock_file(self, key: str) -> Path:
        folder = self.root / "locks"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / key


def _hold(path: Path, on_wait: Callable[[], None]) -> Hold:
    """Hold an environment together with others who use it. Windows does without: it deletes no file in use."""
    file = path.open("a+b")
    try:
        wait_for_lock(file, shared=True, on_wait=on_wait)
        if sys.platform == "win32":
            unlock(file)
    except BaseException:
        file.close()
        raise
    return Hold(file)


def size_of(folder: Path) -> int:
    """Bytes of the files below a folder; what links point to is not counted."""
    total = 0
    for path, _, files in os.walk(folder):
        for name in files:
            file = Path(path) / name
            total += 0 if file.is_symlink() else file.stat().st_size
    return total


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def key_of(parts: Mapping[str, str]) -> str:
    """The key of an environment that is built from these parts."""
    return hashlib.sha256(dump_json(dict(sorted(parts.items()))).encode()).hexdigest()[:24]
