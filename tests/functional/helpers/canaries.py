"""Canary secrets and where they came to light, in whatever form."""

from __future__ import annotations

import base64
import os
import random
import re
import string
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from flowyard.llm.connection_parsing import CONNECTION_TYPES

__all__ = ["Canaries", "sampled_processes"]

_LETTERS = string.ascii_letters + string.digits
_CORE = 24


class Canaries:
    """Secrets by name. Each has a core of letters and digits, which no escaping changes; half of it gives it away."""

    def __init__(self, names: Iterable[str]) -> None:
        draw = random.Random(20240501)
        self.cores = {name: "".join(draw.choices(_LETTERS, k=_CORE)) for name in names}
        self._forms = {form: name for name, core in self.cores.items() for form in _forms(core)}
        self._any = re.compile(_any_of(self._forms))

    def __getitem__(self, name: str) -> str:
        """The secret: its core among signs that JSON, HTML, URLs and shells write differently."""
        return f"""sk-/+&<'"{self.cores[name]}%3D\\=="""

    def plain(self, name: str) -> str:
        """The core alone, for places where signs mean something."""
        return self.cores[name]

    def found_in(self, content: bytes | str) -> set[str]:
        """The names of the secrets that are in some content, also over the ends of lines and cells of tables."""
        data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        joined = re.sub(rb"(\s|\\n|\\r|\x1b\[[0-9;]*m|[|\"',]|\xe2\x94[\x80-\xbf])+", b"", data)
        return {self._forms[hit] for each in (data, joined) for hit in self._any.findall(each)}

    def found_in_file(self, file: Path) -> set[str]:
        """The names of the secrets in a file; none in what is no file."""
        return self.found_in(file.read_bytes()) if file.is_file() else set()


def _forms(core: str) -> Iterator[bytes]:
    for half in (core[: _CORE // 2], core[_CORE // 2 :]):
        plain = half.encode()
        yield plain
        yield plain[::-1]
        yield plain.hex().encode()
        for before in range(3):
            yield base64.b64encode(b"\0" * before + plain)[4 if before else 0 :].rstrip(b"=")[:12]


def _any_of(forms: Iterable[bytes]) -> bytes:
    """A pattern for hundreds of forms, by their letters: a tenth of the time that one alternative for each takes."""
    beginnings: dict[bytes, list[bytes]] = {}
    for form in forms:
        beginnings.setdefault(form[:1], []).append(form[1:])
    found = [
        re.escape(letter) + (re.escape(rest[0]) if len(rest) == 1 else _any_of(rest))
        for letter, rest in sorted(beginnings.items())
    ]
    return b"(?:" + b"|".join(found) + b")" if len(found) > 1 else found[0]


def connection_of(kind: str, secret: str) -> Mapping[str, object] | None:
    """A connection of a type as its YAML file has it; None for a type without secrets."""
    wanted = CONNECTION_TYPES[kind]
    if kind == "custom":
        return {"type": kind, "configs": {"place": "here"}, "secrets": {"token": secret}}
    if "api_key" not in wanted.FIELDS:
        return None
    needed = {field: "https://127.0.0.1:1/" for field in wanted.REQUIRED if field != "api_key"}
    return {"type": kind, "api_key": secret, **needed}


@contextmanager
def sampled_processes(found: dict[str, set[str]], on_lines: Canaries, inherited: frozenset[str]) -> Iterator[None]:
    """Look at the command lines and environments of this process's descendants until the context ends.

    ``inherited`` names secrets that were put into the environment on purpose.
    """
    over = threading.Event()
    looked_at: set[tuple[int, bytes]] = set()

    def look() -> None:
        while not over.wait(0.05):
            for process in _descendants(os.getpid()):
                line = _content(process, "cmdline")
                if (process, line) in looked_at:
                    continue
                looked_at.add((process, line))
                hits = on_lines.found_in(line) | (on_lines.found_in(_content(process, "environ")) - inherited)
                if hits:
                    found.setdefault(f"process {line[:200]!r}", set()).update(hits)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _descendants(ancestor: int) -> Iterator[int]:
    try:
        tasks = [task.name for task in Path(f"/proc/{ancestor}/task").iterdir()]
    except OSError:  # it has just ended
        return
    for task in tasks:
        for child in map(int, _content(ancestor, f"task/{task}/children").split()):
            yield child
            yield from _descendants(child)


def _content(process: int, file: str) -> bytes:
    """A file of /proc; empty when the process has ended."""
    try:
        return Path(f"/proc/{process}/{file}").read_bytes()
    except OSError:
        return b""
