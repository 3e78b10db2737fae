"""What can go wrong, drawn as a tree.

    FlowyardError                 message, hint (the next step), where (file:line, or run/line/node)
    ├─ UserError                  your file or command is wrong            exit 2   HTTP 400
    │  ├─ FlowInvalid  ExperimentInvalid     problems: every one found, not the first
    │  ├─ MappingError  ConnectionMissing  ExtraMissing
    │  └─ NotFound / Conflict                                                       404 / 409
    ├─ LineError                  one line failed; stored, the run goes on
    │  └─ NodeFailed  ProviderError(status, retry_after_s, retryable)
    ├─ NotApproved                nobody allowed this deployment, or not any more      exit 4   HTTP 403
    └─ OutsideError               a database, a cloud, a container engine said no   exit 5   HTTP 502
       └─ StoreError

Answers are not errors: failed lines (exit 1), a missed gate (3) and a denied approval (4) are values; only who wants to
deploy without one gets an error, so that it cannot be overlooked. A new class is
added only if someone catches it differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

__all__ = [
    "Conflict",
    "ConnectionMissing",
    "ExitCode",
    "ExperimentInvalid",
    "ExtraMissing",
    "FlowInvalid",
    "FlowyardError",
    "LineError",
    "MappingError",
    "NodeFailed",
    "NotApproved",
    "NotFound",
    "OutsideError",
    "Problem",
    "ProviderError",
    "StoreError",
    "UserError",
]


class ExitCode(IntEnum):
    """What a command's exit code says; the only table of them."""

    DONE = 0
    FAILED_LINES = 1
    WRONG_INPUT = 2
    GATE_NO = 3
    NOT_APPROVED = 4
    OUTSIDE_FAILED = 5
    OUR_BUG = 70


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file: what, where (``file:line``) and the next step."""

    message: str
    where: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}\n    {self.hint}" if self.hint else text


class FlowyardError(Exception):
    """Base of all errors that flowyard raises on purpose."""

    exit_code = ExitCode.OUR_BUG
    http_status = 500

    def __init__(self, message: str, *, hint: str | None = None, where: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where

    def __str__(self) -> str:
        return f"{self.message} ({self.where})" if self.where else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled whole, whatever a class takes to be made: errors travel between processes."""
        return _restored, (type(self), self.args, dict(self.__dict__))


def _restored(kind: type[FlowyardError], args: tuple[Any, ...], fields: dict[str, Any]) -> FlowyardError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(fields)
    return error


class UserError(FlowyardError):
    """The command or a file it reads is wrong; nothing was run or written."""

    exit_code = ExitCode.WRONG_INPUT
    http_status = 400


class _FileInvalid(UserError):
    """A file with one or more problems, all of them listed."""

    def __init__(self, title: str, problems: Sequence[Problem]) -> None:
        self.title = title
        self.problems = tuple(problems)
        super().__init__("\n".join([title, *(f"  {problem}" for problem in self.problems)]))


class FlowInvalid(_FileInvalid):
    """A flow file cannot be run; ``problems`` lists everything found."""


class ExperimentInvalid(_FileInvalid):
    """An ``experiment.yaml`` (or a file it names) cannot be used."""


class MappingError(UserError):
    """A column mapping reads something that the data does not have."""


class ConnectionMissing(UserError):
    """A node needs a connection that no source knows."""


class ExtraMissing(UserError):
    """An optional dependency is needed; the hint is the command that installs it."""


class NotFound(UserError):
    """A run, experiment or flow of that name does not exist."""

    http_status = 404


class Conflict(UserError):
    """The name is taken, or someone else is changing the same thing."""

    http_status = 409


class LineError(FlowyardError):
    """One line failed. It is stored with the line; the run goes on."""

    exit_code = ExitCode.FAILED_LINES
    http_status = 500


class NodeFailed(LineError):
    """A node raised. ``cause`` is the original exception."""

    def __init__(self, message: str, *, node: str, cause: BaseException, where: str | None = None) -> None:
        super().__init__(message, where=where)
        self.node = node
        self.cause = cause


class ProviderError(LineError):
    """A model endpoint answered with an error, or did not answer.

    ``status`` is the HTTP status or None when there was no response; ``retry_after_s`` is what the endpoint asked for,
    ``refused_calls`` how many attempts it turned down for their rate or because it was overloaded.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        retryable: bool = False,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.retry_after_s = retry_after_s
        self.retryable = retryable
        self.refused_calls = 0


class NotApproved(FlowyardError):
    """Something was to be deployed that no living approval allows."""

    exit_code = ExitCode.NOT_APPROVED
    http_status = 403


class OutsideError(FlowyardError):
    """Something outside flowyard failed; trying again may help."""

    exit_code = ExitCode.OUTSIDE_FAILED
    http_status = 502

    @classmethod
    def of_system(cls, error: OSError) -> OutsideError:
        """What the operating system refused, and of which file."""
        return cls(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")


class StoreError(OutsideError):
    """The run store cannot be read or written."""
