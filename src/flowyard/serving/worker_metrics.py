"""The metrics of all workers at one address: each tells the others its own, and whoever is asked puts them together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

__all__ = ["WorkerMetrics", "merged"]

_PATIENCE_S = 2.0
_MOST_BYTES = 1 << 20


class WorkerMetrics:
    """Listens on a socket in the workers' folder until it is closed; ``own`` makes this worker's text."""

    def __init__(self, folder: Path, number: int, own: Callable[[], str]) -> None:
        self._folder = folder
        self._number = number
        self._own = own
        self._server: asyncio.AbstractServer | None = None

    async def open(self) -> None:
        """Begin to tell. Raises OSError."""
        path = self._folder / f"{self._number}.metrics"
        path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._tell, path)

    async def text(self) -> str:
        """What all workers count, each sample with its ``worker``; one that does not answer is left out."""
        others = {int(path.stem): path for path in self._folder.glob("*.metrics") if path.stem != str(self._number)}
        told = await asyncio.gather(*map(_read, others.values()))
        texts = {number: text for number, text in zip(others, told, strict=True) if text}
        return merged({**texts, self._number: self._own()})

    async def close(self) -> None:
        """Tell no more."""
        if self._server is not None:
            self._server.close()

    async def _tell(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._own().encode())
        with contextlib.suppress(OSError):
            await writer.drain()
        writer.close()


async def _read(path: Path) -> str:
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_PATIENCE_S):
            reader, writer = await asyncio.open_unix_connection(path, limit=_MOST_BYTES)
            try:
                return (await reader.read(-1)).decode()
            finally:
                writer.close()
    return ""


def merged(texts: Mapping[int, str]) -> str:
    """Several texts of Prometheus' format as one: each metric once, its samples with a label ``worker``."""
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for number, text in sorted(texts.items()):
        metric = ""
        for line in text.splitlines():
            if line.startswith("#"):
                metric = line.split(" ", 3)[2]
                known = heads.setdefault(metric, [])
                if line not in known:
                    known.append(line)
            else:
                samples.setdefault(metric, []).append(_labelled(line, number))
    return "".join(f"{line}\n" for metric, head in heads.items() for line in (*head, *samples.get(metric, ())))


def _labelled(sample: str, number: int) -> str:
    name, brace, rest = sample.partition("{")
    if brace:
        return f'{name}{{worker="{number}",{rest}'
    name, _, value = sample.partition(" ")
    return f'{name}{{worker="{number}"}} {value}'
