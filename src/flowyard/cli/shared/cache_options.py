"""The options of commands that run many lines: whether answers are kept, recorded or replayed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from hashlib import sha256
from pathlib import Path
from typing import Any

import click

from flowyard.cli.shared.option_groups import Command, grouped
from flowyard.cli.shared.output import print_warnings
from flowyard.errors import UserError
from flowyard.llm.cache import DEFAULT_CACHE_BYTES, CacheMode, CacheRules, cache_file
from flowyard.llm.cache.block import CacheBlock, parse_bytes, parse_names
from flowyard.llm.cache.kept_file import repaired
from flowyard.llm.recording import RecordingRules, tidy_recording
from flowyard.settings import Settings

__all__ = ["CacheOptions", "cache_options", "recorded"]


@dataclass(frozen=True, slots=True)
class CacheOptions:
    """What a command was told about kept and recorded answers."""

    cache: CacheMode | None = None
    cache_size: str | None = None
    cache_nodes: str | None = None
    record: str | None = None
    replay: str | None = None

    def fields(self, settings: Settings, block: CacheBlock | None = None) -> dict[str, Any]:
        """The fields of ``CallRules`` that these options, over what a file says, give. Raises UserError.

        A damaged file of kept answers is set aside, with a warning.
        """
        recording = self.recording(settings)
        replays = recording is not None and recording.mode == "replay"
        cache = None if replays else self._cache(settings, block or CacheBlock())
        if cache is not None:
            print_warnings(repaired(cache.file))
        return {"cache": cache, "recording": recording}

    def _cache(self, settings: Settings, block: CacheBlock) -> CacheRules | None:
        mode = self.cache or block.mode or "on"
        if mode == "off":
            return None
        return CacheRules(
            file=cache_file(settings.home),
            mode=mode,
            most_bytes=parse_bytes(self.cache_size) if self.cache_size else block.most_bytes or DEFAULT_CACHE_BYTES,
            off=block.off,
            nodes=parse_names(self.cache_nodes) if self.cache_nodes else block.nodes,
        )

    def recording(self, settings: Settings) -> RecordingRules | None:
        """Whether calls are recorded or replayed, and where. Raises UserError."""
        if self.record and self.replay:
            raise UserError("--record and --replay exclude each other.", hint="Record first, then replay.")
        named = self.record or self.replay
        if not named:
            return None
        file = Path(named).expanduser().resolve()
        if file.is_dir() or not file.parent.is_dir():
            raise UserError(f"{named} cannot be a recording: its folder must exist, and it is a file.")
        lock = settings.home / "cache" / f"recording-{sha256(str(file).encode()).hexdigest()[:16]}.lock"
        return RecordingRules(file, "record" if self.record else "replay", lock)


def cache_options(command: Command) -> Command:
    """``--cache``, ``--no-cache``, ``--cache-size``, ``--cache-nodes``, ``--record`` and ``--replay``.

    The command gets them as one argument, ``caching: CacheOptions``.
    """

    @wraps(command)
    def collected(*, cache: CacheMode | None, no_cache: bool, **values: Any) -> Any:
        own = {name: values.pop(name) for name in ("cache_size", "cache_nodes", "record", "replay")}
        return command(caching=CacheOptions("off" if no_cache else cache, **own), **values)

    return grouped(collected, *_OPTIONS)


@contextmanager
def recorded(rules: RecordingRules | None) -> Iterator[None]:
    """Put the file that the calls inside the block are recorded to in order, however the block ends."""
    try:
        yield
    finally:
        if rules is not None and rules.mode == "record":
            tidy_recording(rules)


_OPTIONS = (
    click.option(
        "--cache",
        type=click.Choice(["on", "off", "refresh"]),
        help="Give kept answers of models again (on, the default), never, or ask again and keep the new ones.",
    ),
    click.option("--no-cache", is_flag=True, help="The same as --cache off."),
    click.option("--cache-size", metavar="SIZE", help="What may be kept, such as 500MB (default: 1GB)."),
    click.option("--cache-nodes", metavar="NODE,…", help="Keep the results of these python nodes, too."),
    click.option("--record", metavar="FILE", help="Write all model calls to this file, too."),
    click.option("--replay", metavar="FILE", help="Answer model calls from this file only: no key, no network."),
)
