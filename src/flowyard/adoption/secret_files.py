"""Which files of a flow that comes from elsewhere are not taken along: keys, logins, and what shows a secret."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from flowyard._util.left_out import is_for_logins
from flowyard._util.redact import shows_secret
from flowyard.errors import UserError

__all__ = ["Taken", "take_files"]

_PRIVATE_KEY = b"PRIVATE KEY-----"
_NEEDED = frozenset({".py", ".jinja2", ".prompty"})
"""The flow would not run without them; what they show is only told."""

_MOST_LOOKED_AT = 4 << 20
_MOST_BYTES = 512 << 20


@dataclass(frozen=True, slots=True)
class Taken:
    """``files`` are those that are taken along. ``left_out`` says why of each that is not, and ``shown`` is the line of
    each that is, although it shows what looks like a secret.
    """

    files: Mapping[PurePosixPath, bytes]
    left_out: Mapping[str, str]
    shown: Mapping[str, int]


def take_files(found: Sequence[tuple[str, Path]], definition: str) -> Taken:
    """Read the files of a flow by their place in it. Raises UserError when they are very large."""
    _require_sensible(found)
    files: dict[PurePosixPath, bytes] = {}
    left_out: dict[str, str] = {}
    shown: dict[str, int] = {}
    for name, source in found:
        place = PurePosixPath(name)
        if is_for_logins(name):
            left_out[name] = "is a file for keys or logins"
            continue
        content = source.read_bytes()
        line = next(_secret_lines(content), None)
        if line is not None and name != definition and place.suffix not in _NEEDED:
            left_out[name] = f"shows in line {line} what looks like a secret"
            continue
        if line is not None:
            shown[name] = line
        files[place] = content
    return Taken(files, left_out, shown)


def _require_sensible(found: Sequence[tuple[str, Path]]) -> None:
    sizes = {name: source.stat().st_size for name, source in found}
    if sum(sizes.values()) > _MOST_BYTES:
        largest = max(sizes, key=sizes.__getitem__)
        raise UserError(
            f"The flow's files have {sum(sizes.values()) >> 20:,} MB together, {largest!r} alone "
            f"{sizes[largest] >> 20:,} MB; at most {_MOST_BYTES >> 20} MB are copied.",
            hint="Name what is no part of the flow in a file .flowyardignore in its folder.",
        )


def _secret_lines(content: bytes) -> Iterator[int]:
    """The 1-based numbers of the lines that show one, of a text that is not too long to be looked at."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # as shells of Windows write it
        content = content.decode("utf-16", "replace").encode("utf-8", "replace")
    if len(content) > _MOST_LOOKED_AT or b"\0" in content:
        return
    for number, line in enumerate(content.split(b"\n"), start=1):
        if _PRIVATE_KEY in line or shows_secret(line.decode("utf-8", "replace")):
            yield number
