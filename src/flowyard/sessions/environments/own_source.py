"""Where the flowyard that is running was imported from."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import flowyard

__all__ = ["package_folder", "source_folder"]


def package_folder() -> Path:
    """The folder of the flowyard package that is running."""
    return Path(flowyard.__file__).resolve().parent


def source_folder() -> Path | None:
    """The folder from which flowyard is imported; None when that is where this Python's packages are installed."""
    folder = package_folder().parent
    installed = {Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")}
    return None if folder in installed else folder
