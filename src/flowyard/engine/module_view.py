"""The process's table of modules and search path as one flow sees them. Not safe for threads: its user locks."""

from __future__ import annotations

import importlib
import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["FlowModules", "ModuleView"]

_NEVER_HIDDEN = {"__main__", "flowyard", "promptflow"}


class FlowModules:
    """The modules that one folder's code imported through its own search path, and that path.

    ``front`` stands before the process's own entries (the folder itself, and what its code inserted), ``back`` behind.
    """

    def __init__(self, home: str) -> None:
        self.home = home
        self.uses = 0
        self.modules: dict[str, ModuleType] = {}
        self.loaded_before = set(sys.modules)
        self.front = [home]
        self.back: list[str] = []

    @property
    def entries(self) -> list[str]:
        return [*self.front, *self.back]


class ModuleView:
    """Shows and hides the modules of open folders.

    ``contested`` are top-level names that mean different modules to different code. ``is_shared`` says that whose code
    imports makes a difference: several folders are open, or one has names that the program itself uses.
    """

    def __init__(self) -> None:
        self.contested: frozenset[str] = frozenset()
        self._flows: dict[str, FlowModules] = {}
        self._by_globals: dict[int, str] = {}
        self._by_file: dict[str, str | None] = {}
        self._of_program: dict[str, ModuleType] = {}
        self._program_clashes = False
        self._on_path: FlowModules | None = None
        self._base = list(sys.path)
        self._before: set[str] = set()
        self._wrote_bytecode = sys.dont_write_bytecode
        self._loaded_first: frozenset[str] | None = None

    @property
    def is_open(self) -> bool:
        return bool(self._flows)

    @property
    def is_shared(self) -> bool:
        return len(self._flows) > 1 or (self._program_clashes and self.is_open)

    def is_known(self, home: str) -> bool:
        """Whether the folder is open."""
        return home in self._flows

    def open(self, home: str) -> None:
        """Begin one use of a folder."""
        if not self._flows:
            self._wrote_bytecode = sys.dont_write_bytecode
            sys.dont_write_bytecode = True  # a flow's folder is the user's: nothing is left in it
        if self._loaded_first is None:
            self._loaded_first = frozenset(sys.modules)
        if home not in self._flows:
            self._adopt_unseen()
            self._flows[home] = FlowModules(home)
            importlib.invalidate_caches()  # its files may be younger than what Python remembers of the folder
            self._learn_names()
        self._flows[home].uses += 1

    def close(self, home: str, *, is_idle: bool) -> None:
        """End one use; after the last the folder's modules are forgotten. ``is_idle``: no view is shown now."""
        flow = self._flows[home]
        flow.uses -= 1
        if flow.uses:
            return
        self._adopt_unseen()
        del self._flows[home]
        _take_out(flow.modules)
        if self._on_path is flow and is_idle:
            sys.path[:] = _without(sys.path, flow)
            self._on_path = None
        self._learn_names()
        if is_idle:
            self.rest()
        if not self._flows:
            self._program_clashes = False
            sys.dont_write_bytecode = self._wrote_bytecode

    def reveal(self, home: str) -> FlowModules:
        """Show a folder's view."""
        flow = self._flows.get(home) or FlowModules(home)
        self._show_path(flow)
        for other in self._flows.values():
            if other is not flow:
                _take_out(other.modules)
        self._hide_program(flow)
        sys.modules.update(flow.modules)
        self._before = set(sys.modules)
        return flow

    def conceal(self, flow: FlowModules) -> None:
        """Remember what the folder's code imported and did to the search path, and give the program its own back."""
        flow.front, flow.back = _own_entries(sys.path, self._base)
        sys.path[:] = [*flow.front, *self._base, *flow.back]
        held = {name: sys.modules[name] for name in flow.modules if name in sys.modules}
        held |= _own_modules(flow, self._before)
        flow.modules = held
        if flow.home not in self._flows:  # closed while its code was still importing
            _take_out(held)
        sys.modules.update(self._of_program)
        self._of_program = {}
        self._learn_names()

    def rest(self) -> None:
        """No code of a flow imports: show all that is open, the program's own modules first."""
        for flow in self._flows.values():
            for name, module in flow.modules.items():
                sys.modules.setdefault(name, module)
        if self._on_path is not None and self._on_path.home not in self._flows:
            sys.path[:] = _without(sys.path, self._on_path)
            self._on_path = None
        if len(self._flows) == 1:
            self._show_path(next(iter(self._flows.values())))

    def owner(self, namespace: Mapping[str, Any]) -> str | None:
        """The folder whose code has these globals."""
        found = self._by_globals.get(id(namespace))
        if found is not None:
            return found
        file = namespace.get("__file__")
        if not isinstance(file, str):
            return None
        if file not in self._by_file:
            self._by_file[file] = self._owner_of_file(file)
        return self._by_file[file]

    def known(self, home: str, name: str, wanted: tuple[str, ...] | None) -> ModuleType | None:
        """The module that an import of ``name`` (its names ``wanted``) binds, if the folder's code has all of it."""
        flow = self._flows.get(home)
        module = flow.modules.get(name) if flow is not None else None
        if flow is None or not isinstance(module, ModuleType):
            return None
        if getattr(getattr(module, "__spec__", None), "_initializing", False):
            return None
        if wanted is None:
            return flow.modules.get(name.partition(".")[0])
        return module if all(item in vars(module) for item in wanted) else None

    def _adopt_unseen(self) -> None:
        """While one folder is open, nobody looks at what its code imports later; it is found out before that ends."""
        if not self.is_shared:
            for flow in self._flows.values():
                flow.modules |= _own_modules(flow, flow.loaded_before)

    def _owner_of_file(self, file: str) -> str | None:
        """The deepest open folder that holds the file, unless the file was installed inside that folder."""
        place = os.path.realpath(file)
        installed = [os.path.realpath(entry) for entry in self._base]
        best = _longest([*self._flows, *installed], place)
        return best if best in self._flows else None

    def _show_path(self, flow: FlowModules) -> None:
        if self._on_path is not None:
            self._base = _without(sys.path, self._on_path)
        else:
            self._base = list(sys.path)
        sys.path[:] = [*flow.front, *self._base, *flow.back]
        self._on_path = flow
        for entry in [entry for entry in sys.path_importer_cache if not Path(entry).is_absolute()]:
            del sys.path_importer_cache[entry]  # it was relative to another flow's working directory

    def _hide_program(self, flow: FlowModules) -> None:
        """Modules from elsewhere that stand in the way of the folder's own names.

        What Python and installed packages brought before any flow ran stays, as it does in a process of its own.
        """
        names = _names_in(flow.entries, also_plain_folders=False) - _NEVER_HIDDEN
        tops = [(name, module) for name in names if (module := sys.modules.get(name)) is not None]
        hidden = {name for name, module in tops if self._is_in_the_way(flow, name, module)}
        for name in [name for name in sys.modules if name.partition(".")[0] in hidden]:
            self._of_program[name] = sys.modules.pop(name)
        self._program_clashes = self._program_clashes or bool(hidden)

    def _is_in_the_way(self, flow: FlowModules, name: str, module: ModuleType) -> bool:
        places = [os.path.realpath(place) for place in _places(module)]
        if module is flow.modules.get(name) or not places or any(_longest(flow.entries, place) for place in places):
            return False
        is_installed = any(_longest(_INSTALLED, place) for place in places)
        return not is_installed or name not in (self._loaded_first or ())

    def _learn_names(self) -> None:
        flows = self._flows.values()
        imported = {name.partition(".")[0] for flow in flows for name in flow.modules}
        self.contested = frozenset(imported.union(*(_names_in(flow.entries) for flow in flows)))
        self._by_globals = {id(vars(module)): flow.home for flow in flows for module in _modules(flow.modules)}
        self._by_file = {}


def _modules(found: Mapping[str, Any]) -> list[ModuleType]:
    return [module for module in found.values() if isinstance(module, ModuleType)]  # code may put anything there


def _take_out(modules: Mapping[str, ModuleType]) -> None:
    for name, module in modules.items():
        if sys.modules.get(name) is module:
            del sys.modules[name]


def _without(path: Iterable[str], flow: FlowModules) -> list[str]:
    left = list(path)
    for entry in flow.front:
        if entry in left:
            left.remove(entry)
    for entry in flow.back:
        if entry in left:
            del left[len(left) - 1 - left[::-1].index(entry)]
    return left


def _own_entries(path: list[str], base: list[str]) -> tuple[list[str], list[str]]:
    """What stands before and behind the process's entries; relative entries are pinned to where they point now."""
    unseen = list(base)
    own: list[tuple[int, str]] = []
    first = len(path)
    for index in range(len(path) - 1, -1, -1):
        if path[index] in unseen:
            unseen.remove(path[index])
            first = index
        else:
            own.append((index, os.path.abspath(path[index])))  # noqa: PTH100 - the thread's directory counts
    ordered = own[::-1]
    return [entry for index, entry in ordered if index < first], [entry for index, entry in ordered if index > first]


def _names_in(folders: Iterable[str], *, also_plain_folders: bool = True) -> set[str]:
    """Names that can be imported from folders; those of folders without ``__init__.py`` if wanted."""
    names: set[str] = set()
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                names |= {
                    entry.name.partition(".")[0] for entry in entries if _is_importable(entry, also_plain_folders)
                }
        except OSError:  # an entry of the search path may point nowhere
            continue
    return names - {"", "__pycache__"}


def _is_importable(entry: os.DirEntry[str], also_plain_folders: bool) -> bool:
    if entry.name.endswith((".py", ".pyd", ".so")):
        return True
    if "." in entry.name or not entry.is_dir():
        return False
    return also_plain_folders or os.path.isfile(os.path.join(entry.path, "__init__.py"))  # noqa: PTH113, PTH118


def _places(module: ModuleType) -> list[str]:
    file = getattr(module, "__file__", None)
    if isinstance(file, str):
        return [file]
    try:
        return [str(place) for place in getattr(module, "__path__", ())]  # a folder without __init__.py
    except Exception:  # a module may answer attributes in code of its own
        return []


def _own_modules(flow: FlowModules, before: set[str]) -> dict[str, ModuleType]:
    """Modules that came after those of ``before``, through the flow's own entries of the search path."""
    later = [(name, module) for name, module in list(sys.modules.items()) if name not in before and module is not None]
    names = _names_in(flow.entries) if later else set()
    return {name: module for name, module in later if _came_through(flow, names, name, module)}


def _came_through(flow: FlowModules, names: set[str], name: str, module: ModuleType) -> bool:
    places = [os.path.abspath(place) for place in _places(module)]  # noqa: PTH100 - as Python does
    if not places:  # something that a module put in its place; only its name tells
        return name.partition(".")[0] in names
    own = set(flow.entries)
    return any(_longest(sys.path, place) in own for place in places)


def _longest(folders: Iterable[str], place: str) -> str | None:
    holding = [folder for folder in folders if place == folder or place.startswith(folder.rstrip(os.sep) + os.sep)]
    return max(holding, key=len, default=None)


_INSTALLED = tuple(
    os.path.realpath(folder)
    for folder in {
        *(sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")),
        *site.getsitepackages(),
        site.getusersitepackages(),
    }
)
