"""Module names belong to flows: each flow's folder has modules of its own, also where two use the same names.

Python has one table of modules and one search path for the process. While code of a flow imports, both show that flow's
view: its folder comes first, its own modules are in the table and those of other flows are not. Threads of one flow
share the view; another flow waits for its turn. Once a second flow is open, import statements anywhere find out whose
code they belong to, so that an import inside a function gets the right module however late it runs.
"""

from __future__ import annotations

import builtins
import importlib
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from flowyard._util.inheritance import inherited
from flowyard._util.promptflow_names import install_promptflow_names
from flowyard.engine.module_view import FlowModules, ModuleView

__all__ = ["FolderUse", "code_of", "code_owner"]

code_owner = inherited("flowyard_code_owner")
"""The folder (text, resolved) whose flow's code runs in this context; None elsewhere."""

_inside: ContextVar[object | None] = ContextVar("flowyard_inside_view", default=None)


class FolderUse:
    """Keeps a folder's modules from now until ``close``; several uses of one folder share them."""

    def __init__(self, folder: Path) -> None:
        self._home = str(folder.resolve())
        self._is_open = True
        install_promptflow_names()
        _turns.open(self._home)

    def close(self) -> None:
        """Forget the folder's modules if nobody else uses them; safe to call again."""
        if self._is_open:
            self._is_open = False
            _turns.close(self._home)


@contextmanager
def code_of(folder: Path) -> Iterator[None]:
    """Import what a flow's code imports from ``folder``; other flows wait for their turn until the block ends."""
    use = FolderUse(folder)
    try:
        with _turns.of(str(folder.resolve())):
            yield
    finally:
        use.close()


class _Turn:
    """One flow's view in use by some threads."""

    def __init__(self, flow: FlowModules) -> None:
        self.flow = flow
        self.users: set[object] = set()


class _Turns:
    """Whose view is shown: one flow's at a time, to any number of its threads.

    Code that holds a turn may wait for another flow (a tool's file that runs a sub-flow while it is imported). So a
    context that descends from the holder's gets its turn on top, and the view goes back when it is done.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._turns: list[_Turn] = []
        self._view = ModuleView()
        self._displaced: dict[str, ModuleType | None] = {}

    @property
    def is_shared(self) -> bool:
        return self._view.is_shared

    @property
    def has_lent(self) -> bool:
        return bool(self._displaced)

    def lend(self, name: str) -> None:
        """Remember what the table has under a name before a module of another view is put there for a moment."""
        with self._changed:
            self._displaced.setdefault(name, sys.modules.get(name))

    def take_back(self) -> None:
        """Undo what was lent, before anybody else looks."""
        with self._changed:
            for name, module in self._displaced.items():
                if module is None:
                    sys.modules.pop(name, None)
                else:
                    sys.modules[name] = module
            self._displaced = {}

    def open(self, home: str) -> None:
        with self._changed:
            self.take_back()
            self._view.open(home)
            self._watch_imports()

    def close(self, home: str) -> None:
        with self._changed:
            self.take_back()
            self._view.close(home, is_idle=not self._turns)
            self._watch_imports()

    @contextmanager
    def of(self, home: str) -> Iterator[None]:
        """Show the view of an open folder. The view is left as it is when the folder was closed meanwhile."""
        user = object()
        turn = self._begin(home, user)
        token = _inside.set(user)
        try:
            yield
        finally:
            _inside.reset(token)
            self._end(turn, user)

    def owner(self, top: str, namespace: Mapping[str, Any] | None, frame: FrameType | None) -> str | None:
        """The folder whose view an import of ``top`` needs; None for all that is nobody's or the same for everyone."""
        view = self._view
        if (top in sys.modules and top not in view.contested) or not view.is_open:
            return None
        if namespace is not None:
            if str(namespace.get("__name__")).startswith("flowyard."):
                return None
            found = view.owner(namespace)
            if found is not None:
                return found
        found = self._owner_of_caller(frame)
        if found is not None:
            return found
        running: str | None = code_owner.get()
        return running if running is not None and view.is_known(running) else None

    def known(self, home: str, name: str, wanted: tuple[str, ...] | None) -> ModuleType | None:
        """What an import statement gives, if all of it was imported before and is still there: no turn is needed."""
        return self._view.known(home, name, wanted)

    def forget_threads(self) -> None:
        """In a forked child only the forking thread goes on, so only its turn does."""
        self._changed = threading.Condition()
        self._turns = [turn for turn in self._turns if _inside.get() in turn.users]
        for turn in self._turns:
            turn.users &= {_inside.get()}

    def _owner_of_caller(self, frame: FrameType | None) -> str | None:
        """Whose code called the library that imports; calls of ours in between mean that no code of a flow did."""
        while frame is not None:
            name = str(frame.f_globals.get("__name__"))
            if name.startswith("flowyard.") and name != __name__:
                return None
            found = self._view.owner(frame.f_globals)
            if found is not None:
                return found
            frame = frame.f_back
        return None

    def _begin(self, home: str, user: object) -> _Turn:
        with self._changed:
            while self._turns and self._turns[-1].flow.home != home and not self._descends_from_holder():
                self._changed.wait()
            self.take_back()
            if not self._turns or self._turns[-1].flow.home != home:
                if self._turns:
                    self._view.conceal(self._turns[-1].flow)
                self._turns.append(_Turn(self._view.reveal(home)))
            self._turns[-1].users.add(user)
            return self._turns[-1]

    def _descends_from_holder(self) -> bool:
        return _inside.get() in self._turns[-1].users

    def _end(self, turn: _Turn, user: object) -> None:
        with self._changed:
            self.take_back()
            turn.users.discard(user)
            while self._turns and not self._turns[-1].users:
                self._view.conceal(self._turns.pop().flow)
                if self._turns:
                    self._view.reveal(self._turns[-1].flow.home)
                else:
                    self._view.rest()
            self._watch_imports()
            self._changed.notify_all()

    def _watch_imports(self) -> None:
        """Look at every import only while it can matter; ``import_module`` is often kept by name, so as long as any."""
        _watch("__import__", builtins, _import, wanted=self._view.is_shared)
        _watch("import_module", importlib, _import_module, wanted=self._view.is_open)


_plain: dict[str, Any] = {"__import__": builtins.__import__, "import_module": importlib.import_module}


def _watch(name: str, module: ModuleType, watched: Any, *, wanted: bool) -> None:
    """Put our function in place of Python's, or back; what somebody else put there is called by ours."""
    current = getattr(module, name)
    if wanted and current is not watched:
        _plain[name] = current
        setattr(module, name, watched)
    elif not wanted and current is watched:
        setattr(module, name, _plain[name])


def _import(
    name: str,
    globals: Mapping[str, Any] | None = None,
    locals: Mapping[str, Any] | None = None,
    fromlist: Any = (),
    level: int = 0,
) -> ModuleType:
    """``builtins.__import__`` in the view of the flow whose code imports."""
    if _turns.has_lent:
        _turns.take_back()
    top = _top(name if level == 0 else str((globals or {}).get("__package__") or ""))
    owner = _turns.owner(top, globals, sys._getframe(1))
    if owner is None:
        return _plain["__import__"](name, globals, locals, fromlist, level)  # type: ignore[no-any-return]
    if globals is not None and (fromlist is None or (fromlist and isinstance(fromlist, tuple))):
        known = _turns.known(owner, _absolute(name, globals, level), fromlist)
        if known is not None:
            return known
    with _turns.of(owner):
        module: ModuleType = _plain["__import__"](name, globals, locals, fromlist, level)
        entry = sys.modules.get(name)
    if level or fromlist is None or (fromlist and isinstance(fromlist, tuple)) or entry is None:
        return module
    _turns.lend(name)  # not an import statement: pickle, for one, looks into the table afterwards
    sys.modules[name] = entry  # the last step, so that no other thread comes between
    return module


def _import_module(name: str, package: str | None = None) -> ModuleType:
    """``importlib.import_module`` in the view of the flow whose code calls it."""
    top = _top(str(package or "") if name.startswith(".") else name)
    frame = sys._getframe(1)
    owner = _turns.owner(top, frame.f_globals, frame) if _turns.is_shared else None
    if owner is None:
        return _plain["import_module"](name, package)  # type: ignore[no-any-return]
    with _turns.of(owner):
        return _plain["import_module"](name, package)  # type: ignore[no-any-return]


def _absolute(name: str, namespace: Mapping[str, Any], level: int) -> str:
    if level == 0:
        return name
    package = str(namespace.get("__package__") or "").rsplit(".", level - 1)[0]
    return f"{package}.{name}" if name else package


def _top(name: str) -> str:
    return name.partition(".")[0]


_turns = _Turns()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_turns.forget_threads)
