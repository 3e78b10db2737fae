"""Errors in prompt flow's form, which its artifacts and ``error.json`` hold, and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from flowyard.records import ErrorRecord

__all__ = ["error_from_promptflow", "error_to_promptflow", "run_error_to_promptflow"]

_DETAILS = "ToolExecutionErrorDetails"
_CODES: Mapping[str, tuple[str, ...]] = {
    "InputMissing": ("UserError", "ValidationException", "InvalidFlowRequest", "InputNotFound"),
    "InputInvalid": ("UserError", "ValidationException", "InvalidFlowRequest", "InputTypeError"),
    "ColumnMissing": ("UserError", "ValidationException", "InputMappingError"),
    "RowUnreadable": ("UserError", "ValidationException", "InvalidUserData"),
    "ProviderError": ("UserError", "OpenAIError", "WrappedOpenAIError"),
}
"""Our own kinds of failure as prompt flow's chain of codes, outermost first."""


def error_to_promptflow(error: ErrorRecord) -> dict[str, Any]:
    """The error record that prompt flow would store; a tool's exception is told apart from an error of the engine."""
    codes = _CODES.get(error.type)
    of_tool = codes is None and error.node is not None
    if codes is None:
        codes = ("UserError", "ToolExecutionError" if of_tool else error.type)
    failed = f"Execution failure in '{error.node}': ({error.type}) {error.message}"
    return {
        "message": failed if of_tool else error.message,
        "messageFormat": "Execution failure in '{node_name}'." if of_tool else "",
        "messageParameters": {"node_name": error.node} if error.node else {},
        "referenceCode": "Tool/__pf_main__" if of_tool else "Executor",
        **_nested(codes),
        "additionalInfo": [{"type": _DETAILS, "info": _details(error)}] if of_tool else [],
        "debugInfo": {
            "type": codes[-1],
            "message": failed if of_tool else error.message,
            "stackTrace": error.traceback or "",
            "innerException": None,
        },
    }


def run_error_to_promptflow(
    lines: list[tuple[int, ErrorRecord]], outside: tuple[ErrorRecord, ...], *, failed: int, total: int
) -> dict[str, Any]:
    """The content of ``error.json``: every failed line, and every failed aggregation node."""
    entries = [{"line_number": number, "error": error_to_promptflow(error)} for number, error in lines]
    entries += [{"error": error_to_promptflow(error), "aggregation_node_name": error.node} for error in outside]
    first: dict[str, Any] = entries[0]["error"]  # type: ignore[assignment]
    message = f"Failed to run {failed}/{total} lines. First error message is: {first['message']}"
    codes = ("UserError", "SDKError", "BulkRunException")
    return {
        "message": message,
        "messageFormat": "",
        "messageParameters": {},
        "referenceCode": "Runtime",
        **_nested(codes),
        "additionalInfo": [{"type": "BulkRunErrors", "info": {"errors": entries}}],
        "debugInfo": {"type": codes[-1], "message": message, "stackTrace": "", "innerException": None},
    }


def error_from_promptflow(data: Mapping[str, Any]) -> ErrorRecord:
    """Our record of an error that prompt flow stored: what the tool raised where that is known, else the last code."""
    node = _mapping(data.get("messageParameters")).get("node_name")
    message = str(data.get("message") or "")
    for item in data.get("additionalInfo") or ():
        if _mapping(item).get("type") == _DETAILS:
            info = _mapping(item.get("info"))
            place = f"{PurePath(str(info['filename'])).name}:{info.get('lineno')}" if info.get("filename") else None
            kind, said = str(info.get("type") or "Error"), str(info.get("message") or message)
            return ErrorRecord(kind, said, _text(node), place, _text(info.get("traceback")))
    return ErrorRecord(_last_code(data), message, _text(node))


def _nested(codes: tuple[str, ...]) -> dict[str, Any]:
    """``code`` with its chain of inner errors."""
    inner: dict[str, Any] | None = None
    for code in reversed(codes[1:]):
        inner = {"code": code, "innerError": inner}
    return {"code": codes[0], "innerError": inner}


def _last_code(data: Mapping[str, Any]) -> str:
    code, inner = data.get("code"), _mapping(data.get("innerError"))
    while inner:
        code, inner = inner.get("code") or code, _mapping(inner.get("innerError"))
    return str(code or "Error")


def _details(error: ErrorRecord) -> dict[str, Any]:
    file, _, line = (error.where or "").rpartition(":")
    return {
        "type": error.type,
        "message": error.message,
        "traceback": error.traceback,
        "filename": file or None,
        "lineno": int(line) if line.isdigit() else None,
        "name": None,
    }


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
