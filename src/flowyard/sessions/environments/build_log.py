"""Programs that build an environment: their output goes into a log file, their progress to a person."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from flowyard._util.redact import HIDDEN
from flowyard.errors import FlowyardError, OutsideError, UserError

__all__ = ["BuildLog"]

_PROGRESS = re.compile(
    r"^\s*(Downloading \S|Building |Installing collected|Prepared |Installed \d|(?i:step \d+/\d+ ?: (RUN|FROM)))"
)
_TELLING = re.compile(r"error|conflict|no solution|depends on|because|no matching|requires|you require", re.IGNORECASE)
_OUTSIDE = re.compile(
    r"connection (refused|reset|error|broken|aborted)|failed to establish|timed out|could not fetch url"
    r"|temporary failure|name resolution|dns error|certificate verify failed|no space left|network is unreachable"
    r"|failed to fetch|dial tcp|pull access denied|manifest unknown|i/o error",
    re.IGNORECASE,
)
_PASSWORD = re.compile(r"(://)[^/@\s]+@")
_MOST_TOLD = 8


class BuildLog:
    """The log of one build; a context manager. ``keep_open`` is a lock's descriptor that the programs hold too."""

    def __init__(self, file: Path, say: Callable[[str], None], *, keep_open: int | None = None) -> None:
        self.file = file
        self._say = say
        self._handles = (keep_open,) if keep_open is not None and sys.platform != "win32" else ()
        file.touch(mode=0o600)
        self._log = file.open("w", encoding="utf-8", errors="replace")

    def say(self, text: str) -> None:
        """Tell a person what happens next, and log it."""
        self._say(text)
        self._log.write(f"# {text}\n")

    def run(self, argv: Sequence[str], *, env: Mapping[str, str], where: str | None, doing: str) -> None:
        """Run a program to its end. When it fails, what it said becomes the error, which names the log.

        Raises UserError when ``where`` (the requirements) asks for what cannot be had, OutsideError when the network,
        the disk or a service failed.
        """
        told: list[str] = []
        with subprocess.Popen(  # noqa: S603 - our own installer or engine, no shell
            argv,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            pass_fds=self._handles,
        ) as process:
            try:
                for line in process.stdout or ():
                    told.append(self._take(line))
                code = process.wait()
            except BaseException:
                process.kill()
                raise
        if code:
            raise self._failure(doing, told, where)

    def _take(self, line: str) -> str:
        line = _PASSWORD.sub(rf"\1{HIDDEN}@", line.rstrip())
        self._log.write(line + "\n")
        self._log.flush()
        if _PROGRESS.match(line):
            self._say(f"  {line.strip()[:110]}")
        return line

    def _failure(self, doing: str, told: list[str], where: str | None) -> FlowyardError:
        lines = [line.strip() for line in told if _TELLING.search(line)] or [line for line in told if line.strip()]
        outside = any(_OUTSIDE.search(line) for line in told)
        kind: type[UserError] | type[OutsideError] = OutsideError if outside else UserError
        return kind(
            "\n".join([f"{doing} failed.", *(f"  {line[:300]}" for line in lines[-_MOST_TOLD:])]),
            hint=f"Everything it said is in {self.file}",
            where=where,
        )

    def __enter__(self) -> BuildLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._log.close()
