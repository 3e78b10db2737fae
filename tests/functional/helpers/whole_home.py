"""What has to hold of everything in a home, whatever happened to the commands that wrote it."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from flowyard.cli.main import main
from flowyard.llm import ConnectionStore
from flowyard.registry import Registry, open_registry
from flowyard.registry.model import Kind, version_digest
from flowyard.settings import Settings

KINDS: tuple[Kind, ...] = ("dataset", "flow")


@dataclass(frozen=True)
class Called:
    """A command that ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


def call(root: Path, *words: str) -> Called:
    """Carry out a command in this process, in a project with its home beside it."""
    os.chdir(root / "project")
    os.environ.update(FLOWYARD_HOME=str(root / "home"), FLOWYARD_SECRETS="file")
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main(list(words))
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
    assert code != 70, err.getvalue()
    assert "Traceback" not in err.getvalue(), err.getvalue()
    return Called(code, out.getvalue(), err.getvalue())


def content_below(home: Path) -> dict[str, Any]:
    """Every folder, the bytes of every file, and the rows of every database."""
    return dict(_content(home))


def _content(home: Path) -> Iterator[tuple[str, Any]]:
    for path in sorted(home.rglob("*")):
        name = path.relative_to(home).as_posix()
        if path.suffix in (".db", ".sqlite"):
            with closing(sqlite3.connect(path)) as connection:
                yield name, list(connection.iterdump())
        elif name == "connections/store.json":
            yield name, _stored(path)
        elif not name.endswith(("-wal", "-shm")):
            yield name, path.read_bytes() if path.is_file() else None


def _stored(file: Path) -> Any:
    """What is stored, but for times and for the same secret encrypted anew."""
    return json.loads(
        re.sub(r'"gAAAA[^"]*"|(?<="changed_at": )"[^"]*"|(?<="checksum": )"[^"]*"', '"…"', file.read_text())
    )


def require_whole(root: Path) -> None:
    """Versions are dense and can be read to the last byte, the ledger is verified, nothing is there by half."""
    registry = open_registry(Settings.read(home=str(root / "home"), start=root / "project"))
    for kind in KINDS:
        for name in registry.names(kind):
            _require_versions(registry, kind, name)
            assert call(root, "registry", "show", name, "--kind", kind, "--json").code == 0
    assert call(root, "approval", "verify", "--json").json()["verified"]
    store = ConnectionStore(root / "home" / "connections", {})
    for name in store.names():
        assert store.find(name) is not None
    releases = list((root / "home" / "releases").glob("*/*/release.json"))
    assert len(call(root, "release", "list", "--json").json()) == len(releases)


def _require_versions(registry: Registry, kind: Kind, name: str) -> None:
    versions = registry.versions(name, kind)
    numbers = [each.version for each in versions]
    assert numbers == list(range(1, len(versions) + 1)), numbers
    assert len({each.digest for each in versions}) == len(versions)
    for each in versions:
        assert version_digest(each.files, each.is_folder, each.settings) == each.digest
        registry.folder(each)  # reads every byte
        registry.facts(each)
    assert all(change.version in (None, *numbers) for change in registry.alias_changes(name, kind))
