"""Run in promptflow's own environment: a job as JSON on each line of stdin, its outcome as JSON on a line of stdout.

Importing promptflow takes seconds and most flows take less, so each job is a fork of one process that has it loaded.
"""

import base64
import contextlib
import dataclasses
import json
import logging
import os
import re
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

from promptflow import connections as kinds
from promptflow._sdk._errors import ConnectionNotFoundError
from promptflow._sdk._orm import session
from promptflow._sdk.entities._connection import _Connection
from promptflow._sdk.operations._connection_operations import ConnectionOperations
from promptflow.client import PFClient
from promptflow.executor import FlowExecutor  # noqa: F401 - loaded once, before the forks
from promptflow.tools import aoai  # noqa: F401 - likewise


def make_connection(name, fields):
    """The connection object of a mapping in the form of a connection's YAML."""
    known = {
        "azure_open_ai": "AzureOpenAIConnection",
        "open_ai": "OpenAIConnection",
        "serverless": "ServerlessConnection",
        "cognitive_search": "CognitiveSearchConnection",
        "azure_ai_services": "AzureAIServicesConnection",
        "azure_content_safety": "AzureContentSafetyConnection",
        "form_recognizer": "FormRecognizerConnection",
        "serp": "SerpConnection",
        "custom": "CustomConnection",
    }
    values = {key: value for key, value in fields.items() if key != "type"}
    made = getattr(kinds, known[fields["type"]])(**values)
    made.name = name
    return made


def give_connections(given):
    """Answer every look-up of a connection from the job, instead of from the encrypted store."""

    def get(_self, name, **_kwargs):
        if name not in given:
            raise ConnectionNotFoundError(f"Connection {name!r} is not found.")
        return _Connection._from_core_connection(make_connection(name, given[name]))

    ConnectionOperations.get = ConnectionOperations._get = get


def joined(value):
    return "".join(map(str, value)) if hasattr(value, "__next__") else value


def with_images(value, folder):
    """The value with images that were written to files as base64 again; their kind is left out."""
    if isinstance(value, list):
        return [with_images(item, folder) for item in value]
    if not isinstance(value, dict):
        return value
    (key, inner), *others = value.items() or [("", None)]
    if not others and re.fullmatch(r"data:image/.+;path", str(key)):
        return {"data:image;base64": as_base64(folder / inner)}
    if value.get("type") == "image_file":
        return {"data:image;base64": as_base64(folder / value["image_file"]["path"])}
    return {key: with_images(item, folder) for key, item in value.items()}


def as_base64(file):
    return base64.b64encode(file.read_bytes()).decode()


def plain(outputs):
    return {key: joined(value) for key, value in outputs.items()} if isinstance(outputs, dict) else joined(outputs)


def as_json(value):
    """What JSON does not know: a dataclass as its fields, anything else as text."""
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else str(value)


def run_job(job):
    """The outcome of one flow: its outputs, metrics and failed nodes, or the error."""
    give_connections(job["connections"])
    result = PFClient().flows._test(
        flow=job["flow"],
        inputs=job["inputs"] or None,
        init=job["init"] or None,
        stream_log=False,
        stream_output=False,
        allow_generator_output=False,
    )
    failed = sorted(name for name, info in result.node_run_infos.items() if str(info.status).endswith("Failed"))
    if not str(result.run_info.status).endswith("Completed"):
        return {"failed": failed, "error": json.dumps(result.run_info.error, default=str)}
    notes = [json.dumps(result.node_run_infos[name].error, default=str) for name in failed]
    metrics = dict(result.run_info.metrics or {})
    outputs = with_images(plain(result.output), Path(job["flow"]).parent)
    return {"outputs": outputs, "metrics": metrics, "failed": failed, "error": "\n".join(notes)}


def in_child(job, answer):
    os.setsid()
    os.chdir(Path(job["flow"]).parent)
    os.environ.update(job["environ"])
    session.lock = type(session.lock)(session.lock.lock_file)  # a lock made before the fork refuses to work after it
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    try:
        found = run_job(job)
    except BaseException as error:
        found = {"failed": [], "error": f"{type(error).__name__}: {error}"}
    Path(answer).write_text(json.dumps(found, default=as_json), "utf-8")
    os._exit(0)


def wait(child, timeout_s):
    """Whether the child ended by itself in time; it and what it started are gone afterwards."""
    end = time.monotonic() + timeout_s
    ended = False
    while not ended and time.monotonic() < end:
        ended = os.waitpid(child, os.WNOHANG)[0] == child
        if not ended:
            time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if not ended:
        os.waitpid(child, 0)
    return ended


def answer_of(job):
    handle, answer = tempfile.mkstemp(suffix=".json")
    os.close(handle)
    child = os.fork()
    if child == 0:
        in_child(job, answer)
    ended = wait(child, job["timeout_s"])
    text = Path(answer).read_text("utf-8")
    Path(answer).unlink()
    if not ended:
        return {"failed": [], "error": "timed out", "timed_out": True}
    return json.loads(text) if text else {"failed": [], "error": "the process died"}


def main():
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        out.write(json.dumps(answer_of(json.loads(line))) + "\n")


if __name__ == "__main__":
    main()
