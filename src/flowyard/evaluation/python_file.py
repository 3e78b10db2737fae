"""The function or class at ``path/to/file.py:name``, found without running any of its code."""

from __future__ import annotations

import ast
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import UserError

__all__ = ["PythonPlace", "find_python", "parsed_file"]

_AGGREGATES = ("__aggregate__", "aggregate")
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class PythonPlace:
    """Where an evaluator's code is. ``text`` is how it was written, ``where`` the ``file:line`` of its definition.

    ``parameters`` are the names that options may have; None when any, or when they cannot be told from the file.
    ``aggregate`` is ``module:function`` of the module's own aggregation.
    """

    text: str
    file: Path
    name: str
    is_class: bool
    where: str
    parameters: tuple[str, ...] | None = None
    aggregate: str | None = None

    @property
    def entry(self) -> str:
        """``module:name``, seen from the folder of the file."""
        return f"{self.file.stem}:{self.name}"


def find_python(text: str, folder: Path, where: str | None = None) -> PythonPlace:
    """What ``path/to/file.py:name`` means, seen from ``folder``. Raises UserError with the next step."""
    path, _, name = text.rpartition(":")
    if not path.endswith(".py") or not name.isidentifier():
        message = f"{text!r} names no Python function."
        raise UserError(message, hint="Write path/to/file.py:function.", where=where)
    file = (folder / path).resolve()
    if not file.is_file():
        parent = file.parent if file.parent.is_dir() else folder
        near = did_you_mean(file.name, [child.name for child in parent.glob("*.py")])
        raise UserError(f"There is no file {path!r}.", hint=near or f"It was looked for in {folder}.", where=where)
    names = _names(parsed_file(file))
    if name not in names:
        public = [each for each in names if not each.startswith("_")]
        hint = did_you_mean(name, public) or f"It has: {known_names(public)}."
        raise UserError(f"{path} has no function or class {name!r}.", hint=hint, where=where)
    node = names[name]
    aggregate = next((each for each in _AGGREGATES if each in names and each != name), None)
    return PythonPlace(
        text,
        file,
        name,
        isinstance(node, ast.ClassDef),
        f"{file.name}:{node.lineno}",
        _parameters(node),
        f"{file.stem}:{aggregate}" if aggregate else None,
    )


def parsed_file(file: Path) -> ast.Module:
    """What a Python file says. Raises UserError with file:line."""
    try:
        with tokenize.open(file) as opened:
            return ast.parse(opened.read(), file.name)
    except SyntaxError as error:
        raise UserError(f"{file.name} is not Python: {error.msg}.", where=f"{file.name}:{error.lineno}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{file.name} cannot be read: {error}.") from None


def _names(tree: ast.Module) -> Mapping[str, ast.stmt]:
    """What the module's top level binds, also by assignment and import, and the statement that does."""
    found: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, _Definition):
            found[node.name] = node
        elif isinstance(node, ast.ImportFrom | ast.Import):
            found |= {each.asname or each.name: node for each in node.names}
        elif isinstance(node, ast.Assign):
            found |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
    return found


def _parameters(node: ast.stmt) -> tuple[str, ...] | None:
    """The names that a call, or the making of an instance, takes."""
    if isinstance(node, ast.ClassDef):
        made = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
        if not made:
            return None if node.bases or node.decorator_list else ()
        names = _parameters(made[0])
        return names[1:] if names is not None else None
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.args.kwarg is not None:
        return None
    return tuple(each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs))
