"""Registers a folder again and again, with a fault at another place each time; prints what came of it.

    python registry_fault_points.py first|second FOLDER

The places and the faults are those of ``fault_points.py``, and links and renames besides. Whatever happened, every
version that is there has to be whole, registering has to end in the same versions, and once more has to change nothing.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from fault_points import KINDS, NEVER, Faults, forked, import_what_is_imported

from flowyard.registry import Registry, open_registry
from flowyard.settings import Settings

FILES = {"a.jsonl": b"one\n" * 20, "deep/b.jsonl": b"two\n" * 20}


class Scene:
    """Data to register, and a home."""

    def __init__(self, root: Path, number: int) -> None:
        self.root, self.data, self.number = root, root / "data", number

    @property
    def registry(self) -> Registry:
        return open_registry(Settings(self.root / "home", {}, self.root, self.root))

    def register(self, number: int) -> int:
        for name, content in FILES.items():
            (self.data / name).parent.mkdir(parents=True, exist_ok=True)
            (self.data / name).write_bytes(content + b"%d" % number)
        return self.registry.register(self.data, "tickets").version.version

    def prepare(self) -> None:
        for number in range(1, self.number):
            self.register(number)

    def work(self) -> None:
        self.register(self.number)

    def check(self) -> None:
        self._require_whole()
        assert self.register(self.number) == self.number
        self._require_whole()
        before = self._home()
        assert self.register(self.number) == self.number
        assert self._home() == before, "registering once more changed something"
        assert [each.version for each in self.registry.versions("tickets")] == list(range(1, self.number + 1))

    def _require_whole(self) -> None:
        for version in self.registry.versions("tickets"):
            folder = self.registry.resolve(version.label)
            for name, content in FILES.items():
                assert (folder / name).read_bytes() == content + b"%d" % version.version

    def _home(self) -> dict[str, bytes]:
        folder = self.root / "home" / "registry"
        return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def attempts(base: Path, number: int) -> Iterator[dict[str, Any]]:
    """One attempt for each place and kind of fault, until there are no more places."""
    for kind in KINDS:
        for at in range(1, NEVER):
            root = base / "now"
            shutil.copytree(base / "start", root)
            scene = Scene(root, number)
            faults = Faults(kind, at, str(root / "home"), note=base / "place")

            def harmed(faults: Faults = faults, scene: Scene = scene) -> None:
                faults.install()
                for name in ("link", "rename"):
                    faults._patch_call(name)
                scene.work()

            with suppress(FileNotFoundError):
                faults.note.unlink()
            ended = forked(harmed)
            if faults.note.exists():
                place = faults.note.read_text()
                yield {"kind": kind, "at": at, "place": place, "ended": ended, "after": forked(scene.check)}
            shutil.rmtree(root)
            if not faults.note.exists():
                break


def main() -> None:
    scenario, base = sys.argv[1], Path(sys.argv[2]).resolve()
    number = 1 if scenario == "first" else 2
    scene = Scene(base / "start", number)
    import_what_is_imported(Scene(base / "imports", 1).work, base / "modules")
    scene.root.mkdir()
    assert forked(scene.prepare) == 0
    json.dump(list(attempts(base, number)), sys.stdout)


if __name__ == "__main__":
    main()
