"""Text of a declarative Jenkinsfile: blocks, and strings in which Groovy puts nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["Lines", "block", "output_of", "quoted", "shell", "stage"]

Lines = Sequence[str]


def quoted(text: str) -> str:
    """A string in single quotes: a dollar sign in it is one."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def shell(script: str) -> Lines:
    """A step that runs a script in bash, which does not print its commands; Groovy puts nothing into it.

    Raises ValueError for a script with three quotes in a row, which would end it.
    """
    if "'''" in script:
        raise ValueError("a script has three quotes in a row")
    return [f"sh {_long(script)}"]


def _long(script: str) -> str:
    escaped = ("#!/bin/bash\nset -euo pipefail\n" + script).replace("\\", "\\\\")
    return f"'''{escaped}'''"


def output_of(script: str) -> str:
    """An expression: what a script prints, without the line break at its end."""
    return f"sh(returnStdout: true, script: {_long(script)}).trim()"


def block(head: str, *parts: Iterable[str]) -> Lines:
    """``head { … }``; nothing where there is nothing in it. Lines of scripts are not moved."""
    inner = [line for part in parts for line in part]
    return [f"{head} {{", *(f"  {line}" for line in inner), "}"] if inner else []


def stage(name: str, *parts: Iterable[str]) -> Lines:
    """``stage('name') { … }``"""
    return block(f"stage({quoted(name)})", *parts)
