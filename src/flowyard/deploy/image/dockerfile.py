"""The Dockerfile of a flow's image.

pip and compilers are in stages that are thrown away: the last one takes over a finished environment and the flow's
files. It changes no file of the base image, so that the same context gives the same content. Nobody but root can write
to it; the service runs as user 10001, and needs a writable ``/tmp`` only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from flowyard.deploy.image.system_packages import SystemPackages

__all__ = [
    "DEFAULT_BASE",
    "EPOCH",
    "PIP_SETTINGS",
    "PORT",
    "SBOM_PLACE",
    "STAGE_LABEL",
    "STAMP",
    "Recipe",
    "dockerfile",
]

DEFAULT_BASE = "python:3.11-slim"
PORT = 8080
EPOCH = 315532800
"""The time of everything in an image, in seconds: 1980-01-01, the first that every archive can hold."""
SBOM_PLACE = "/service/sbom.json"
STAMP = "1980-01-01T00:00:00Z"
"""The same as ISO 8601."""
STAGE_LABEL = "flowyard.stage"
"""The label of stages in which pip knew its settings; its value is the title and version of what is built."""
PIP_SETTINGS = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_NO_INDEX", "PIP_DEFAULT_TIMEOUT")

_INSTALL = "apt-get install -y --no-install-recommends"
_TOO_OLD = "Error: flowyard needs Python 3.11 or newer, and the base image has an older one."
_SYSTEM = """\
# Packages of the operating system that the flow names. What apt writes down with the time is not kept.
USER 0:0
COPY apt.txt /service/apt.txt
RUN apt-get update && \\
    xargs -a /service/apt.txt {install} && \\
    rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/log/alternatives.log \\
      /var/cache/apt /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache
USER 10001:10001
"""
_BUILD = """\
FROM system AS build
LABEL {stage}
{arguments}
USER 0:0
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0 SOURCE_DATE_EPOCH={epoch}
WORKDIR /build
RUN python3 -c "import sys; sys.version_info >= (3, 11) or sys.exit('{too_old}')" && \\
    if [ -f /var/lib/dpkg/status ]; then cp /var/lib/dpkg/status dpkg-status; fi
{tools}COPY requirements.txt sbom.py ./
COPY wheels ./wheels
RUN python3 -m venv pip && \\
    python3 -m venv --without-pip /opt/flowyard && \\
    pip/bin/python -m pip --python /opt/flowyard/bin/python install --no-cache-dir --no-compile --no-deps \\
      --no-input --disable-pip-version-check {hashes}-r requirements.txt && \\
    pip/bin/python -m pip --python /opt/flowyard/bin/python check && \\
    {{ /opt/flowyard/bin/python -m compileall -qf --invalidation-mode unchecked-hash /opt/flowyard/lib || true; }}
COPY health.py /service/
{connections}COPY flow /service/flow
RUN /opt/flowyard/bin/python sbom.py /opt/flowyard/lib/python3*/site-packages dpkg-status {title} {version} \\
      > {sbom} && \\
    cp requirements.txt /service/ && \\
    chmod -R u=rwX,go=rX /opt/flowyard /service
USER 10001:10001
"""
_LAST = """\
FROM system
{labels}
COPY --from=build /opt/flowyard /opt/flowyard
COPY --from=build /service /service
ENV PATH=/opt/flowyard/bin:$PATH HOME=/tmp FLOWYARD_HOME=/tmp/flowyard \\
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /service
USER 10001:10001
EXPOSE {port}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \\
  CMD ["/opt/flowyard/bin/python", "-I", "/service/health.py"]
ENTRYPOINT []
CMD {command}
"""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What differs from image to image. ``title`` and ``version`` are plain words; ``definition`` is the flow's file.

    ``has_hashes`` says whether every requirement has one, ``has_connections`` whether there is a folder of them.
    """

    base: str
    title: str
    version: str
    definition: str
    packages: SystemPackages = SystemPackages()
    has_hashes: bool = False
    has_connections: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)


def dockerfile(recipe: Recipe) -> str:
    """The text of the Dockerfile."""
    return "\n".join(_stages(recipe))


def _stages(recipe: Recipe) -> Iterator[str]:
    system = _SYSTEM.format(install=_INSTALL) if recipe.packages.run else ""
    yield f"ARG BASE_IMAGE={recipe.base}\n"
    yield f"FROM ${{BASE_IMAGE}} AS system\n{system}"
    yield _BUILD.format(
        stage=f"{STAGE_LABEL}={recipe.title}-{recipe.version}",
        arguments="\n".join(f"ARG {name}" for name in PIP_SETTINGS),
        epoch=EPOCH,
        too_old=_TOO_OLD,
        tools=_tools(recipe),
        hashes="--require-hashes " if recipe.has_hashes else "",
        connections="COPY connections /service/connections\n" if recipe.has_connections else "",
        title=recipe.title,
        version=recipe.version,
        sbom=SBOM_PLACE,
    )
    serve = ["flowyard", "flow", "serve", "--source", f"flow/{recipe.definition}"]
    labels = " \\\n      ".join(f"{name}={json.dumps(value)}" for name, value in sorted(recipe.labels.items()))
    yield _LAST.format(
        labels=f"LABEL {labels}" if labels else "",
        port=PORT,
        command=json.dumps([*serve, "--host", "0.0.0.0", "--port", str(PORT)]),  # noqa: S104 - in the container
    )


def _tools(recipe: Recipe) -> str:
    """Compilers and headers, in a stage that is thrown away."""
    if not recipe.packages.build:
        return ""
    return f"COPY apt-build.txt ./\nRUN apt-get update && \\\n    xargs -a apt-build.txt {_INSTALL}\n"
