"""A flow as what is kept of it: its files as it runs from them, wherever it lies, with what was chosen written in.

A flow folder is taken with its ``additional_includes`` laid over it, without caches, results, environments, ``.env``
files and what an ignore file names. Of a prompty the file itself counts and the files that it names, because its folder
is often a whole project. Variants that are not the defaults, and parameters, are written into the definition: what is
checked out runs as it was chosen.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard._util.yamlfile import parse_yaml
from flowyard.errors import UserError
from flowyard.flows.includes import without_keys
from flowyard.flows.load import load_flow
from flowyard.flows.model import DagFlow, Flow, PromptyFlow
from flowyard.flows.rewrite import is_as_written, rewrite_definition
from flowyard.registry.flow_secrets import require_no_keys, require_no_secrets
from flowyard.registry.ignore import Ignored, read_ignored
from flowyard.registry.model import Draft
from flowyard.registry.tree import hash_files, is_plain_name

__all__ = ["FlowFiles", "flow_draft", "flow_files"]

_NAMED = re.compile(r"\$\{file:([^}]+)\}|!\[[^\]\n]*\]\(([^()\s]+)\)", re.IGNORECASE)
"""What a prompty reads besides itself: files in its front matter, and pictures in its prompt."""


@dataclass(frozen=True, slots=True)
class FlowFiles:
    """(name, path) of each file, sorted by name; ``definition`` is the name of the one that the flow is loaded from."""

    files: tuple[tuple[str, Path], ...]
    definition: str


@contextmanager
def flow_draft(
    path: Path,
    name: str | None = None,
    *,
    selected: Mapping[str, str] | None = None,
    parameters: Mapping[str, Any] | None = None,
    description: str = "",
) -> Iterator[tuple[Draft, Flow]]:
    """The flow at a path as it would be registered; its places hold until the context ends.

    Without a name, the flow's own is taken. Raises as ``load_flow`` and ``flow_files`` do.
    """
    flow = load_flow(path, selected)
    if selected and not isinstance(flow, DagFlow):
        raise UserError(f"{flow.file.name} has no nodes, so it has no variants to choose.")
    chosen, given = dict(flow.chosen), dict(parameters or {})
    with flow_files(flow, given) as found:
        settings = {"definition": found.definition, "variant": chosen, "parameters": given}
        places = tuple(place for _, place in found.files)
        yield Draft("flow", name or flow.name, hash_files(found.files), places, True, description, settings), flow


@contextmanager
def flow_files(
    flow: Flow, parameters: Mapping[str, Any] | None = None, *, with_keys: bool = False
) -> Iterator[FlowFiles]:
    """The files that a flow with its chosen variants and these parameters runs from.

    Raises UserError for a flow without a file, for links that lead out of its folder, for names that not every platform
    can have, for a secret in its definition, for private keys and files of logins, unless ``with_keys``, and for
    parameters that mean nothing in it.
    """
    if not flow.file.is_file() or flow.file.suffix not in (".yaml", ".yml", ".prompty"):
        raise UserError(f"{flow.name} has no definition to keep.", hint="Write one: flowyard flow init --flow FOLDER")
    given = dict(parameters or {})
    files, name, text = _prompty(flow) if isinstance(flow, PromptyFlow) else _folder(flow)
    require_no_secrets(flow, given, files.values())
    if not with_keys:
        require_no_keys(flow.folder, files)
    with tempfile.TemporaryDirectory(prefix="flowyard-") as work:
        if text is not None or not is_as_written(flow, given):
            place = Path(work) / flow.file.name
            before = text if text is not None else files[name].read_bytes().decode("utf-8-sig")
            place.write_bytes(rewrite_definition(flow, given, before).encode())
            files[name] = place
        yield FlowFiles(tuple(sorted(files.items(), key=lambda each: each[0].encode())), name)


def _folder(flow: Flow) -> tuple[dict[str, Path], str, str | None]:
    """Files by name, the definition's name, and the definition's text where it is not the file of that name."""
    home, root = flow.file.parent.resolve(), flow.folder.resolve()
    file = parse_yaml(flow.file.read_text("utf-8-sig"), flow.file)
    code = (home / str(file.data.get("code") or ".")).resolve() if "entry" in file.data else home
    if flow.keep is None and root.is_relative_to(home):
        root = home
    files = dict(_below(root, read_ignored(root), "", root))
    name = flow.file.name
    if root == home:
        files.setdefault(name, flow.file)  # whatever an ignore file says
        return files, name, None
    if code == home:  # a merged copy of the definition's own folder, which says nothing of includes any more
        files[name] = root / name
        return files, name, None
    if name in files:
        raise UserError(f"{name} lies beside the code of {flow.file}, too.", hint="Rename one of the two.")
    files[name] = flow.file
    return files, name, without_keys(file, ("code", "additional_includes"))


def _prompty(flow: PromptyFlow) -> tuple[dict[str, Path], str, str | None]:
    folder, name = flow.folder.resolve(), flow.file.name
    text = flow.file.read_text("utf-8-sig")
    named = [first or second for first, second in _NAMED.findall(text)]
    named += re.findall(r"^sample:\s*[\"']?(?:file:)?([^\s\"'{}$]+\.json)", text, re.MULTILINE)
    files = {name: flow.file}
    for each in [*named, "requirements.txt"]:
        path = folder / each
        if "://" in each or each.startswith("data:") or not path.is_file():
            continue
        if not path.resolve().is_relative_to(folder) or ".." in Path(each).parts:
            raise UserError(f"{name} names the file {each}, outside of its folder.", hint="Put a copy beside it.")
        inside = path.relative_to(folder).as_posix()
        _require_name(inside, path)
        files[inside] = path
    return files, name, None


def _below(folder: Path, ignored: Ignored, prefix: str, root: Path) -> Iterator[tuple[str, Path]]:
    with os.scandir(folder) as found:
        entries = list(found)
    for entry in entries:
        path, is_folder = Path(entry.path), entry.is_dir(follow_symlinks=False)
        if ignored.has(entry.name, is_folder=is_folder):
            continue
        _require_name(prefix + entry.name, path)
        if is_folder:
            yield from _below(path, ignored.below(path), f"{prefix}{entry.name}/", root)
        elif entry.is_symlink():
            yield prefix + entry.name, _pointed(path, root)
        elif entry.is_file():
            yield prefix + entry.name, path
        else:
            raise UserError(f"{path} is not a plain file.", hint="Leave it out with a line in .flowyardignore.")


def _pointed(link: Path, root: Path) -> Path:
    pointed = link.resolve()
    if not pointed.is_file() or not pointed.is_relative_to(root):
        hint = (
            "Put a copy in its place, name what it points to in 'additional_includes', or name it in .flowyardignore."
        )
        raise UserError(f"{link} is a link that does not lead to a file in the flow's folder.", hint=hint)
    return pointed


def _require_name(name: str, path: Path) -> None:
    if not is_plain_name(name):
        raise UserError(f"The name of {str(path)!r} cannot be kept on every platform.", hint="Rename it first.")
