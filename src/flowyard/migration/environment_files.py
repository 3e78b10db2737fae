"""Environments and data pipelines: ``env.yaml``, ``.env``, ``dataops_config.json`` and ``llmops/config.py``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from flowyard._util.suggest import known_names
from flowyard.errors import UserError
from flowyard.migration.notes import Notes, looks_secret, read_structured, read_text

__all__ = ["check_config", "check_data_pipeline", "check_dotenv", "check_environment"]

_AZURE = ("SUBSCRIPTION_ID", "RESOURCE_GROUP_NAME", "WORKSPACE_NAME", "KEY_VAULT_NAME", "COMPUTE_TARGET", "ENV_NAME")
_ASSIGNED = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*=\s*(.?)")
_EXECUTION = re.compile(r"^\s*EXECUTION_TYPE\s*=\s*[\"'](\w+)[\"']")


def check_environment(file: Path, notes: Notes) -> None:
    """``environment/env.yaml``: variables of runs and of deployments."""
    try:
        found = read_structured(file)
    except UserError as error:
        notes.invalid(file, error)
        return
    if not isinstance(found.data, Mapping):
        notes.add("works", file, 1, "Names no variable.")
        return
    for key, value in found.data.items():
        line = found.line((key,))
        if value is None:
            message = f"{key!r} has no value: the template gave the flow the text 'None'."
            notes.add("problem", file, line, message, "Give it a value, or remove it.")
        elif value == "":
            notes.add("problem", file, line, f"{key!r} is empty, which stopped the template.", "Give it a value.")
        elif isinstance(value, Mapping | list):
            notes.add("problem", file, line, f"{key!r} is no text.", "Only names with texts or numbers are variables.")
        elif looks_secret(str(key), value):
            message = f"{key!r} looks like a secret that is written out."
            notes.add("problem", file, line, message, f"Change it, and take it from the environment: {key} in .env.")
    names = known_names(map(str, found.data))
    message = f"Variables of the flow's code: {names}. Runs and deployments read them by two rules."
    advice = (
        "Write them under environment_variables in flow.dag.yaml, or give flowyard run create "
        "--environment-variables NAME=VALUE."
    )
    notes.add("replaced", file, 1, message, advice)


def check_dotenv(file: Path, notes: Notes) -> None:
    """``.env``: which names of it mean something. Values are not looked at beyond their first letter."""
    try:
        lines = read_text(file).splitlines()
    except UserError as error:
        notes.invalid(file, error)
        return
    if not _is_ignored(file):
        advice = "Write .env into .gitignore, and change the keys if it was ever committed."
        notes.add("problem", file, 1, "Git does not ignore this file of secrets.", advice)
    for number, line in enumerate(lines, start=1):
        match = _ASSIGNED.match(line)
        if match is None:
            continue
        if match[1] in _AZURE:
            notes.add("works", file, number, f"{match[1]} is not needed: nothing here runs in Azure ML.", "Remove it.")
        elif match[2] in ("{", "'") and "{" in line:
            message = f"{match[1]} is a connection as one JSON object, which the template's code could not read."
            notes.add("works", file, number, message, "Nothing to do: it is read.")


def check_data_pipeline(file: Path, notes: Notes) -> None:
    """``dataops_config.json``: a data pipeline and its schedule."""
    try:
        found = read_structured(file)
    except UserError as error:
        notes.invalid(file, error)
        return
    data = found.data if isinstance(found.data, Mapping) else {}
    advice = "Keep the pipeline that makes the data; docs/data.md has the URLs that runs read directly."
    notes.add("later", file, 1, "A data pipeline of Azure ML is not yet carried over.", advice)
    if data.get("SCHEDULE"):
        notes.add("later", file, found.line(("SCHEDULE",)), "Its schedule is not yet carried over.", "Keep it.")
    if data.get("DATA_ASSETS"):
        message = "All data assets were written with the same content, and registered anew each time."
        notes.add(
            "surprise", file, found.line(("DATA_ASSETS",)), message, "Each run's record has a digest of its data."
        )


def check_config(file: Path, notes: Notes) -> None:
    """``llmops/config.py``: where runs are executed, a constant in the source."""
    try:
        lines = read_text(file).splitlines()
    except UserError as error:
        notes.invalid(file, error)
        return
    for number, line in enumerate(lines, start=1):
        match = _EXECUTION.match(line)
        if match is not None:
            kind = match[1].upper()
            message = f"EXECUTION_TYPE is {kind}, a constant that had to be edited."
            advice = "Runs are made on this machine, or with --backend ray on a cluster; nothing has to be edited."
            notes.add("replaced", file, number, message, advice)


def _is_ignored(file: Path) -> bool:
    try:
        lines = read_text(file.parent / ".gitignore").splitlines()
    except UserError:
        return False
    return any(line.strip().lstrip("/") in (".env", "*.env", ".env*") for line in lines)
