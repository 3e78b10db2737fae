"""Packages of the operating system that a flow names: in its definition, or in ``apt.txt`` beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flowyard.errors import UserError
from flowyard.flows.model import Flow

__all__ = ["SystemPackages", "system_packages"]

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*(:[a-z0-9]+)?(=[A-Za-z0-9.+:~-]+)?")
_FILE = "apt.txt"


@dataclass(frozen=True, slots=True)
class SystemPackages:
    """Debian packages, each ``name`` or ``name=version``. ``build`` are only there while requirements are built."""

    run: tuple[str, ...] = ()
    build: tuple[str, ...] = ()


def system_packages(flow: Flow) -> SystemPackages:
    """What ``environment.os_packages`` and ``environment.build_packages`` name; else the lines of ``apt.txt``.

    Raises UserError, with the place, for what cannot be a package's name.
    """
    file = flow.folder / _FILE
    run = _listed(flow, "os_packages")
    if run is None:
        run = _lines(file.read_text("utf-8-sig"), str(file)) if file.is_file() else ()
    return SystemPackages(run, _listed(flow, "build_packages") or ())


def _listed(flow: Flow, key: str) -> tuple[str, ...] | None:
    given = flow.environment.get(key)
    if given is None:
        return None
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise UserError(f"environment.{key} is a list of names of Debian packages.", where=str(flow.file))
    return tuple(_name(each, str(flow.file)) for each in given)


def _lines(text: str, where: str) -> tuple[str, ...]:
    lines = [(number, line.partition("#")[0].strip()) for number, line in enumerate(text.splitlines(), 1)]
    return tuple(_name(line, f"{where}:{number}") for number, line in lines if line)


def _name(text: str, where: str) -> str:
    if not _NAME.fullmatch(text):
        raise UserError(f"{text!r} is no name of a Debian package.", hint="Write name or name=version.", where=where)
    return text
