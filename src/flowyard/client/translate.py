"""Our errors as prompt flow's exceptions, at the border to user code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flowyard.client import exceptions
from flowyard.client.exceptions import PromptflowException
from flowyard.errors import (
    Conflict,
    ConnectionMissing,
    ExtraMissing,
    FlowInvalid,
    FlowyardError,
    LineError,
    MappingError,
    NotFound,
    OutsideError,
    ProviderError,
    UserError,
)
from flowyard.records import ErrorRecord
from flowyard.runs.error_form import error_to_promptflow

__all__ = ["error_of", "speaking_promptflow"]

_CLASSES: Mapping[type[FlowyardError], type[PromptflowException]] = {
    ConnectionMissing: exceptions.ConnectionNotFoundError,
    FlowInvalid: exceptions.InvalidFlowError,
    MappingError: exceptions.InputMappingError,
    ExtraMissing: exceptions.MissingRequiredPackage,
    NotFound: exceptions.RunNotFoundError,
    Conflict: exceptions.RunExistsError,
    ProviderError: exceptions.WrappedOpenAIError,
    LineError: exceptions.ToolExecutionError,
    UserError: exceptions.UserErrorException,
    OutsideError: exceptions.SystemErrorException,
    FlowyardError: exceptions.SystemErrorException,
}
"""The nearest class in the list of an error's bases counts."""

_RECORDED: Mapping[str, type[PromptflowException]] = {
    "InputMissing": exceptions.MissingRequiredFlowInput,
    "InputInvalid": exceptions.InputTypeError,
    "ConnectionMissing": exceptions.ConnectionNotFoundError,
    "ProviderError": exceptions.WrappedOpenAIError,
}


@contextmanager
def speaking_promptflow(**instead: type[PromptflowException]) -> Iterator[None]:
    """Errors of ours leave the block as prompt flow's, the next step as a note.

    ``instead`` names other classes for some of ours: ``NotFound=ConnectionNotFoundError``.
    """
    try:
        yield
    except FlowyardError as error:
        raise _translated(error, instead) from None


def _translated(error: FlowyardError, instead: Mapping[str, type[PromptflowException]]) -> PromptflowException:
    for kind in type(error).__mro__:
        chosen = instead.get(kind.__name__) or _CLASSES.get(kind)
        if chosen is not None:
            made = chosen(str(error))
            made.hint = error.hint
            if error.hint:
                made.add_note(error.hint)
            return made
    raise AssertionError("every error of ours has FlowyardError among its bases")


def error_of(record: ErrorRecord) -> PromptflowException:
    """What a caller of a flow catches when its line failed.

    An exception of prompt flow's that a tool raised keeps its class; any other is a ToolExecutionError that says node,
    class and message. The place in the user's code is a note.
    """
    kind = _RECORDED.get(record.type) or _own_class(record.type)
    message = record.message
    if kind is None:
        kind = exceptions.ToolExecutionError if record.node else exceptions.ScriptExecutionError
        message = str(error_to_promptflow(record)["message"])
        if not record.node:
            message = f"Execution failure: ({record.type}) {record.message}"
    made = kind(message)
    for note in (record.where, record.traceback):
        if note:
            made.add_note(note)
    return made


def _own_class(name: str) -> type[PromptflowException] | None:
    found: Any = getattr(exceptions, name, None)
    return found if isinstance(found, type) and issubclass(found, PromptflowException) else None
