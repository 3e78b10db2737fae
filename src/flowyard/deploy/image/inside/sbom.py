"""What is in an image, as a CycloneDX document: ``sbom.py SITE_PACKAGES DPKG_STATUS NAME VERSION > sbom.json``.

It has no time and no random number in it, so that the same image says the same.
"""

from __future__ import annotations

import json
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

__all__ = ["describe"]


def describe(site_packages: str, dpkg_status: str, name: str, version: str) -> dict[str, Any]:
    """The document: Python packages of a folder, and Debian packages of a status file, which may be missing."""
    components = [_python(each) for each in metadata.distributions(path=[site_packages])]
    status = Path(dpkg_status)
    text = status.read_text("utf-8", "replace") if status.is_file() else ""
    components += [_debian(fields) for fields in _paragraphs(text) if fields.get("Status", "").endswith(" installed")]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": "flow", "name": name, "version": version}},
        "components": sorted(components, key=lambda each: each["bom-ref"]),
    }


def _python(package: metadata.Distribution) -> dict[str, Any]:
    name = re.sub(r"[-_.]+", "-", package.metadata["Name"]).lower()
    found = _component(name, package.version, f"pkg:pypi/{name}@{quote(package.version)}")
    about = package.metadata.json
    licence = str(about.get("license_expression") or about.get("license") or "")
    if licence and len(licence) < 80 and "\n" not in licence:
        found["licenses"] = [{"license": {"name": licence}}]
    return found


def _debian(fields: dict[str, str]) -> dict[str, Any]:
    name, version = fields["Package"], fields.get("Version", "")
    place = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={fields.get('Architecture', '')}"
    return _component(name, version, place)


def _component(name: str, version: str, place: str) -> dict[str, Any]:
    return {"type": "library", "bom-ref": place, "name": name, "version": version, "purl": place}


def _paragraphs(text: str) -> list[dict[str, str]]:
    paragraphs = []
    for paragraph in text.split("\n\n"):
        lines = [line.partition(": ") for line in paragraph.splitlines() if line[:1].strip()]
        if lines:
            paragraphs.append({name.rstrip(":"): value.strip() for name, _, value in lines})
    return paragraphs


if __name__ == "__main__":
    sys.stdout.write(json.dumps(describe(*sys.argv[1:5]), indent=1, sort_keys=True) + "\n")
