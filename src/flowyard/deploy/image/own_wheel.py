"""The flowyard that is running as a wheel, so that an image needs no index that has it and runs what was tested.

It asks for what serving a flow imports, and for nothing that only experiments need: of numpy alone, an image would be
larger by a third.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from flowyard import __version__
from flowyard.sessions.environments.own_packages import own_requirements
from flowyard.sessions.environments.own_source import package_folder

__all__ = ["own_digest", "serving_requirements", "write_own_wheel"]

_NOT_SERVING = {"cryptography", "fsspec", "jsonschema", "numpy", "rich"}
"""What only the connection store, remote data, evaluators, statistics and tables import."""
_DATE = (1980, 1, 1, 0, 0, 0)
_WHEEL = "Wheel-Version: 1.0\nGenerator: flowyard\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_ENTRY_POINTS = "[console_scripts]\nflowyard = flowyard.cli.start:start\n"


def serving_requirements() -> tuple[Requirement, ...]:
    """What flowyard needs where it only serves flows."""
    return tuple(each for each in own_requirements() if canonicalize_name(each.name) not in _NOT_SERVING)


def write_own_wheel(folder: Path) -> Path:
    """Write the wheel into a folder that exists; the same source gives the same bytes."""
    info = f"flowyard-{__version__}.dist-info"
    needs = "".join(f"Requires-Dist: {each}\n" for each in serving_requirements())
    metadata = f"Metadata-Version: 2.1\nName: flowyard\nVersion: {__version__}\nRequires-Python: >=3.11\n{needs}"
    texts = {"METADATA": metadata, "WHEEL": _WHEEL, "entry_points.txt": _ENTRY_POINTS}
    files = [(f"flowyard/{name}", path.read_bytes()) for name, path in _own_files()]
    files += [(f"{info}/{name}", text.encode()) for name, text in texts.items()]
    record = "".join(f"{name},sha256={_hash(data)},{len(data)}\n" for name, data in files) + f"{info}/RECORD,,\n"
    wheel = folder / f"flowyard-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [*files, (f"{info}/RECORD", record.encode())]:
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return wheel


def own_digest() -> str:
    """The SHA-256, in hex, of flowyard's own files and of what they need when they serve."""
    whole = hashlib.sha256("\n".join(sorted(map(str, serving_requirements()))).encode())
    for name, path in _own_files():
        whole.update(f"\0{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def _own_files() -> Iterator[tuple[str, Path]]:
    """(name, path) of flowyard's files, sorted, without caches."""
    root = package_folder()
    found = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    for name in sorted(found):
        if "__pycache__" not in name and not name.endswith(".pyc"):
            yield name, found[name]


def _hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
