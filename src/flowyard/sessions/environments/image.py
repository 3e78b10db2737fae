"""The build context of a session's image: a Dockerfile, what the flow requires, and nothing else.

pip runs in a stage of its own, of which only the finished environment is taken over: neither its settings nor the
addresses that it was told are in the image.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from flowyard.sessions.environments.engine import PASSED_ON
from flowyard.sessions.environments.requirements import Entry, Requirements

__all__ = ["DEFAULT_IMAGE", "IMAGE_PYTHON", "OWN_PLACE", "STAGE_LABEL", "dockerfile", "write_build_context"]

DEFAULT_IMAGE = "python:3.11-slim"
IMAGE_PYTHON = "/opt/session/bin/python"
OWN_PLACE = "/opt/flowyard"
"""Where containers find the flowyard that is running; it is not part of the image."""
STAGE_LABEL = "flowyard.stage=build"

_DOCKERFILE = """\
ARG BASE_IMAGE={base}
FROM ${{BASE_IMAGE}} AS build
LABEL {label}
{arguments}
USER root
RUN python3 -c "import sys; sys.version_info >= (3, 11) or sys.exit('{too_old}')"
COPY . /build
RUN python3 -m venv /opt/session && \\
    /opt/session/bin/python -m pip install --no-input --no-cache-dir --disable-pip-version-check {files} && \\
    /opt/session/bin/python -c "import pathlib, sysconfig; \\
pathlib.Path(sysconfig.get_path('purelib'), 'zzz_flowyard.pth').write_text('{own}')"

FROM ${{BASE_IMAGE}}
COPY --from=build /opt/session /opt/session
ENV PATH=/opt/session/bin:$PATH PYTHONUNBUFFERED=1
ENTRYPOINT []
CMD ["{python}"]
"""


def dockerfile(*, base: str, has_constraints: bool) -> str:
    """The text of the Dockerfile."""
    files = "-r /build/requirements.txt" + (" -c /build/constraints.txt" if has_constraints else "")
    return _DOCKERFILE.format(
        base=base,
        label=STAGE_LABEL,
        arguments="\n".join(f"ARG {name}" for name in PASSED_ON if name.startswith("PIP_")),
        files=files,
        own=OWN_PLACE,
        too_old="Error: flowyard needs Python 3.11 or newer, and the image has an older one.",
        python=IMAGE_PYTHON,
    )


def write_build_context(folder: Path, requirements: Requirements, own: Iterable[str], *, base: str) -> None:
    """Write the context; files and folders that the requirements name are copied into it, so that pip finds them."""
    packages = [_moved(entry, folder, number) for number, entry in enumerate(requirements.packages)]
    options = [_moved(entry, folder, number) for number, entry in enumerate(requirements.options, len(packages))]
    limits = [entry.render() for entry in requirements.constraints]
    _write(folder / "requirements.txt", [*options, *packages, *own])
    if limits:
        _write(folder / "constraints.txt", limits)
    text = dockerfile(base=base, has_constraints=bool(limits))
    (folder / "Dockerfile").write_text(text, "utf-8")


def _moved(entry: Entry, folder: Path, number: int) -> str:
    if entry.local is None:
        return entry.render()
    place = Path("local") / str(number)
    (folder / place).mkdir(parents=True)
    if entry.local.is_dir():
        shutil.copytree(entry.local, folder / place / entry.local.name, ignore=shutil.ignore_patterns(".git", ".env"))
    else:
        shutil.copy2(entry.local, folder / place / entry.local.name)
    return entry.render((Path("/build") / place / entry.local.name).as_uri())


def _write(file: Path, lines: Iterable[str]) -> None:
    file.write_text("".join(f"{line}\n" for line in lines), "utf-8")
