"""A requirements file with everything it includes, as pip reads it, normalised so that equal ones hash equally."""

from __future__ import annotations

import codecs
import hashlib
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from flowyard.errors import UserError

__all__ = ["Entry", "Requirements", "read_requirements", "stood_in_for", "without_password"]

_COMMENT = re.compile(r"(^|\s)#.*$")
_PASSWORD = re.compile(r"://(?!git@)[^/@\s$]+@")
_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_NESTED = {"-r": "-r", "--requirement": "-r", "-c": "-c", "--constraint": "-c"}
_PATH_OPTIONS = {"-e": "", "--editable": "", "-f": "--find-links ", "--find-links": "--find-links "}
_LEFT_OUT = re.compile(r"^(\..*|__pycache__|build|.*\.egg-info)$")


@dataclass(frozen=True, slots=True)
class Entry:
    """One requirement, constraint or option. Its text is ``before`` + the URL of ``local`` + ``after``.

    ``requirement`` is None for an option and for what has no name before it is built: a path or a URL.
    """

    where: str
    before: str
    local: Path | None = None
    after: str = ""
    requirement: Requirement | None = None

    @property
    def is_option(self) -> bool:
        return self.before.startswith("-")

    def render(self, local: str | None = None) -> str:
        """The line for pip; ``local`` stands in for the URL of the file or folder it names."""
        return f"{self.before}{local or (self.local.as_uri() if self.local else '')}{self.after}"

    def fingerprint(self) -> str:
        """What the line means: of a file or folder that is installed, its content; of one searched, what lies in it."""
        if self.local is None:
            return self.render()
        return self.render(_names_in(self.local) if self.is_option else _content_of(self.local))


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a flow needs: packages, limits on the versions of packages, and options that say where they come from."""

    file: Path | None = None
    packages: tuple[Entry, ...] = ()
    constraints: tuple[Entry, ...] = ()
    options: tuple[Entry, ...] = ()

    def fingerprint(self) -> str:
        """Equal for files that install the same: comments, spacing and the order of packages do not count."""
        options = [entry.fingerprint() for entry in self.options]
        packages = sorted(entry.fingerprint() for entry in self.packages)
        constraints = sorted(entry.fingerprint() for entry in self.constraints)
        return "\n".join([*options, "", *packages, "", *constraints])

    def entries(self) -> Iterator[Entry]:
        """All lines."""
        yield from self.options
        yield from self.packages
        yield from self.constraints

    def with_password(self) -> Entry | None:
        """A line that holds a password in a URL, if there is one; a ``${VARIABLE}`` is none."""
        return next((entry for entry in self.entries() if _PASSWORD.search(entry.render())), None)

    def shown(self) -> list[str]:
        """The packages for a person, without passwords."""
        return [without_password(entry.render()) for entry in self.packages]


def without_password(line: str) -> str:
    """A line for a person: of a URL's login only that there is one."""
    return _PASSWORD.sub("://***@", line)


def stood_in_for(name: str) -> bool:
    """Whether flowyard itself answers for this package: prompt flow's runtime, and flowyard."""
    name = canonicalize_name(name)
    if name.startswith(("promptflow-vectordb", "promptflow-rag")):
        return False
    return name in {"flowyard", "promptflow"} or name.startswith("promptflow-")


def read_requirements(file: Path) -> Requirements:
    """Read a requirements file and those it includes; what flowyard stands in for is left out.

    Raises UserError, with file and line, for a file that is missing and a line that pip would refuse.
    """
    packages: list[Entry] = []
    constraints: list[Entry] = []
    options: list[Entry] = []
    for entry, limits in _read(file, limits=False, above=()):
        if entry.is_option:
            options.append(entry)
        elif limits:
            constraints.append(entry)
        elif entry.requirement is None or not stood_in_for(entry.requirement.name):
            packages.append(entry)
    return Requirements(file, tuple(packages), tuple(constraints), tuple(dict.fromkeys(options)))


def _read(file: Path, *, limits: bool, above: tuple[Path, ...]) -> Iterator[tuple[Entry, bool]]:
    """The entries of a file and its includes, each with whether it only limits versions."""
    file = file.resolve()
    if file in above:
        return
    for line, text in _logical_lines(_text_of(file)):
        where = f"{file}:{line}"
        option, value = _option(text, where)
        if option in _NESTED and "://" not in value:
            nested = limits or _NESTED[option] == "-c"
            yield from _read(file.parent / value, limits=nested, above=(*above, file))
        elif option in _PATH_OPTIONS:
            yield _path_entry(where, _PATH_OPTIONS[option], value, file.parent), limits
        elif option:
            yield Entry(where, text), limits
        else:
            yield _package(where, text, file.parent), limits


def _text_of(file: Path) -> str:
    if not file.is_file():
        raise UserError(f"The requirements file {file} does not exist.", hint="Correct its name in the flow's file.")
    data = file.read_bytes()
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"The requirements file {file} is not UTF-8 text.", hint="Save it as UTF-8.") from None


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, those that end in a backslash joined, each with its number."""
    held, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        start = start if held else number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            held += line[:-1] + " "
            continue
        joined = " ".join(_COMMENT.sub("", held + line).split())
        held = ""
        if joined:
            yield start, joined
    if held.strip():
        yield start, " ".join(held.split())


def _option(text: str, where: str) -> tuple[str, str]:
    """The option and value of a line; two empty texts when it is none."""
    if not text.startswith("-"):
        return "", ""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UserError(f"This line cannot be read: {error}.", where=where) from None
    name, equals, value = words[0].partition("=")
    if equals or len(words) > 1:
        return name, value if equals else words[1]
    return (name[:2], name[2:]) if not name.startswith("--") else (name, "")


def _path_entry(where: str, before: str, value: str, folder: Path) -> Entry:
    path, bracket, extras = ("", "", "") if "://" in value and not value.startswith("file:") else value.partition("[")
    local = _local(path, folder) if path else None
    return Entry(where, before, local, f"{bracket}{extras}") if local else Entry(where, f"{before}{value}")


def _package(where: str, text: str, folder: Path) -> Entry:
    path, bracket, extras = text.partition("[")
    local = _local(path, folder) if _looks_like_a_path(path) else None
    if local:
        return Entry(where, "", local, f"{bracket}{extras}")
    spec, *settings = re.split(r"\s(?=--)", text)
    after = "".join(f" {each}" for each in settings)
    if "://" in spec.partition(" @ ")[0]:
        return Entry(where, spec + after)
    try:
        requirement = Requirement(spec)
    except InvalidRequirement as error:
        said = str(error).splitlines()[0]
        raise UserError(f"{spec!r} is not a requirement: {said}.", hint="Write it as pip does.", where=where) from None
    local = _local(requirement.url, folder) if requirement.url and requirement.url.startswith("file:") else None
    if local:
        return Entry(where, f"{requirement.name} @ ", local, after, requirement)
    requirement.name = canonicalize_name(requirement.name)
    return Entry(where, str(requirement) + after, requirement=requirement)


def _looks_like_a_path(text: str) -> bool:
    if text.startswith("file:"):
        return True
    return "://" not in text and (text.startswith(".") or "/" in text or "\\" in text or text.endswith(_ARCHIVES))


def _local(value: str, folder: Path) -> Path | None:
    """The file or folder that a value names: beside the requirements file, else in the working directory."""
    if "://" in value and not value.startswith("file:"):
        return None
    plain = unquote(urlsplit(value).path) if value.startswith("file:") else value
    places = (folder / plain, Path.cwd() / plain)
    return next((place.resolve() for place in places if place.exists()), None)


def _names_in(folder: Path) -> str:
    """Names and sizes of the files in a folder that is searched for packages."""
    files = sorted((each.name, each.stat().st_size) for each in folder.iterdir()) if folder.is_dir() else folder.name
    return hashlib.sha256(repr(files).encode()).hexdigest()


def _content_of(path: Path) -> str:
    digest = hashlib.sha256()
    for file in _files_of(path):
        digest.update(f"\0{file.relative_to(path.parent)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _files_of(path: Path) -> Iterable[Path]:
    """The files of a package's source, without what building and version control leave there."""
    if path.is_file():
        yield path
        return
    for each in sorted(path.iterdir()):
        if not _LEFT_OUT.match(each.name) and not each.is_symlink():
            yield from _files_of(each)
