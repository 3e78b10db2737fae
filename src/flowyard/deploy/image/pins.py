"""Requirements with every version, and the hash of every file, written down: what is installed is the same each time.

pip resolves them as it would install them in the image. Files of this machine that the flow names are copied beside the
list. Where a flow comes with hashes of its own, those are kept.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from flowyard._util.redact import without_password
from flowyard.deploy.image.installed_pins import installed_pins
from flowyard.errors import UserError
from flowyard.sessions.environments.requirements import Requirements

__all__ = ["Pins", "PinsFor", "pin_requirements", "python_of_image"]

_HASH = re.compile(r"--hash=\S+")
_CONFLICT = re.compile(r"ResolutionImpossible|conflicting dependencies|requires a different Python|Invalid requirement")
_ABSENT = re.compile(r"No matching distribution found")
_UNREACHED = re.compile(r"connection|timed out|Retrying|network|certificate|401|403", re.IGNORECASE)
_GLIBC = ("2_17", "2_28", "2_34")
_WAIT_S = 600


@dataclass(frozen=True, slots=True)
class Pins:
    """``text`` is the requirements file; ``has_hashes`` says whether pip checks every byte that it installs."""

    text: str
    has_hashes: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PinsFor:
    """Whose requirements are pinned: ``wheel`` is flowyard's, in the folder that the pins are for.

    ``python`` is the version of the image's Python, such as ``3.11``; None when it is not known.
    """

    requirements: Requirements
    wheel: Path
    python: str | None
    environ: Mapping[str, str]


def python_of_image(image: str) -> str | None:
    """``3.11`` of ``python:3.11-slim``; None for an image whose name does not say it."""
    found = re.search(r"(?:^|/)python:(3\.\d+)", image)
    return found[1] if found else None


def pin_requirements(wanted: PinsFor) -> Pins:
    """The pins for a folder that has ``wheels/`` with flowyard's wheel; other files that are named are put there.

    Without pip, or where it reaches no index, the versions that are installed here are taken, and a warning says so.
    Raises UserError when the requirements contradict each other.
    """
    entry = wanted.requirements.with_password()
    if entry:
        hint = "Take it out of the address, and set PIP_INDEX_URL or PIP_EXTRA_INDEX_URL in the environment instead."
        raise UserError("This line holds a password, which an image would keep.", hint=hint, where=entry.where)
    report = _resolved(wanted)
    if isinstance(report, str):
        lines, loose = installed_pins(wanted.requirements)
        warnings = [f"pip did not resolve the requirements ({report}): pinned as they are installed here."]
        warnings += [f"{each} is not installed here and stays as it is written." for each in loose]
        return Pins(_text(wanted, [f"./wheels/{wanted.wheel.name}", *lines]), False, tuple(warnings))
    return _pinned(wanted, report)


def _resolved(wanted: PinsFor) -> list[dict[str, Any]] | str:
    """What pip would install; or why it could not be asked."""
    if find_spec("pip") is None:
        return "this Python has no pip"
    with tempfile.TemporaryDirectory(prefix="flowyard-") as place:
        argv = [*_pip(wanted, Path(place)), *_asked(wanted, Path(place))]
        try:
            done = subprocess.run(  # noqa: S603 - our own pip, no shell
                argv,
                env={**wanted.environ, "PIP_REQUIRE_HASHES": "0", "PIP_NO_INPUT": "1"},
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_WAIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"no answer within {_WAIT_S} s"
        if done.returncode == 0:
            found: list[dict[str, Any]] = json.loads((Path(place) / "report.json").read_text("utf-8"))["install"]
            return found
    said = [without_password(line.strip())[:300] for line in done.stderr.splitlines() if line.strip()]
    if _CONFLICT.search(done.stderr) or _is_absent(done.stderr, wanted.environ):
        where = str(wanted.requirements.file) if wanted.requirements.file else None
        raise UserError("\n".join(["The requirements cannot be met.", *said[-8:]]), where=where)
    return next((line for line in said if line.startswith("ERROR")), said[-1] if said else "it said nothing")


def _is_absent(said: str, environ: Mapping[str, str]) -> bool:
    """Whether an index was asked and does not have it."""
    return bool(_ABSENT.search(said)) and not _UNREACHED.search(said) and not environ.get("PIP_NO_INDEX")


def _pip(wanted: PinsFor, place: Path) -> list[str]:
    """pip, told about the image's Python and system where they are not this one's."""
    argv = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--no-input"]
    argv += ["--disable-pip-version-check", "--report", str(place / "report.json")]
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    is_same = wanted.python in (None, own) and sys.platform == "linux"
    if not is_same:
        argv += ["--target", str(place / "none"), "--only-binary=:all:", "--python-version", wanted.python or own]
        machine = {"arm64": "aarch64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())
        argv += [f"--platform=manylinux_{glibc}_{machine}" for glibc in _GLIBC]
        argv += [f"--platform=manylinux2014_{machine}", f"--platform=linux_{machine}"]
    return argv


def _asked(wanted: PinsFor, place: Path) -> list[str]:
    """Files with what is wanted. Hashes are left to the image, because flowyard has none before it is resolved."""
    needs = [_HASH.sub("", each.render()) for each in (*wanted.requirements.options, *wanted.requirements.packages)]
    limits = [each.render() for each in wanted.requirements.constraints]
    (place / "requirements.txt").write_text("".join(f"{line}\n" for line in needs if line != "--require-hashes"))
    (place / "constraints.txt").write_text("".join(f"{_HASH.sub('', line)}\n" for line in limits))
    return ["-r", str(place / "requirements.txt"), "-c", str(place / "constraints.txt"), str(wanted.wheel)]


def _pinned(wanted: PinsFor, report: Sequence[Mapping[str, Any]]) -> Pins:
    own = {
        canonicalize_name(each.requirement.name): _HASH.findall(each.after or each.before)
        for each in wanted.requirements.packages
        if each.requirement
    }
    lines: list[str] = []
    for item in sorted(report, key=lambda each: canonicalize_name(each["metadata"]["name"])):
        lines.append(_line(item, own.get(canonicalize_name(item["metadata"]["name"]), []), wanted))
    has_hashes = all("--hash=" in line for line in lines)
    if not has_hashes:  # pip wants all of them, or none
        lines = [_HASH.sub("", line).rstrip(" \\\n") for line in lines]
    loose = [line for line in lines if "==" not in line and "./wheels" not in line and "@" not in line]
    warnings = [f"{line} has no version of its own." for line in loose]
    if not has_hashes:
        warnings.append("Without hashes: a requirement is no file with a fixed content.")
    return Pins(_text(wanted, lines), has_hashes, tuple(warnings))


def _line(item: Mapping[str, Any], own: Sequence[str], wanted: PinsFor) -> str:
    """One requirement, exactly."""
    found, about = item["download_info"], item["metadata"]
    hashes = own or [f"--hash={name}:{value}" for name, value in sorted(_hashes(found).items()) if name == "sha256"]
    url = urlsplit(found["url"])
    if "vcs_info" in found:
        vcs = found["vcs_info"]
        return f"{about['name']} @ {vcs['vcs']}+{found['url']}@{vcs['commit_id']}"
    if url.scheme == "file":
        return " ".join([f"./{_copied(Path(unquote(url.path)), wanted)}", *hashes])
    direct = f"{about['name']} @ {found['url']}" if item.get("is_direct") else f"{about['name']}=={about['version']}"
    return " \\\n    ".join([direct, *hashes])


def _copied(path: Path, wanted: PinsFor) -> str:
    """A file or folder of this machine in the folder that the pins are for; returns its place there."""
    target = wanted.wheel.parent / path.name
    if path.is_dir():
        ignored = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build")
        shutil.copytree(path, target, ignore=ignored, dirs_exist_ok=True)
    elif path != target and not target.exists():
        shutil.copyfile(path, target)
    return f"wheels/{path.name}"


def _hashes(found: Mapping[str, Any]) -> Mapping[str, str]:
    """The digests of an archive; none of a folder."""
    archive = found.get("archive_info") or {}
    return archive.get("hashes") or dict([archive["hash"].split("=", 1)] if "hash" in archive else [])


def _text(wanted: PinsFor, lines: Sequence[str]) -> str:
    python = wanted.python or f"{sys.version_info.major}.{sys.version_info.minor}"
    head = [f"# Pinned for Python {python} on Linux, {platform.machine()}. Made by flowyard; do not edit."]
    return "".join(f"{line}\n" for line in [*head, *_sources(wanted), *lines])


def _sources(wanted: PinsFor) -> Iterator[str]:
    """Where the flow says that packages come from; files of this machine were copied."""
    for each in wanted.requirements.options:
        if each.local is None and each.before != "--require-hashes":
            yield each.before
