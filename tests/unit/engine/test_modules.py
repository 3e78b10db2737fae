"""Each flow's code finds its own modules, whatever other flows and the program around have under the same names."""

from __future__ import annotations

import asyncio
import builtins
import importlib
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flowyard.engine.modules import FolderUse, code_of, code_owner

Write = Callable[..., Path]


@pytest.fixture
def write_folder(tmp_path: Path) -> Write:
    """Writes a folder with files (``a/b__py`` is ``a/b.py``)."""

    def write_folder(name: str, files: dict[str, str]) -> Path:
        for file, text in files.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).lstrip("\n"), "utf-8")
        return tmp_path / name

    return write_folder


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    path, modules = list(sys.path), dict(sys.modules)
    yield
    assert sys.path == path
    late = {name for name in sys.modules.keys() - modules.keys() if is_of_test(sys.modules[name])}
    assert late == set()
    assert all(sys.modules[name] is module for name, module in modules.items() if name in sys.modules)
    assert builtins.__import__.__module__ == "builtins"
    assert importlib.import_module.__module__ == "importlib"


def is_of_test(module: ModuleType) -> bool:
    return "pytest-of" in str(getattr(module, "__file__", None))


def tool(folder: Path, file: str = "tool.py") -> dict[str, Any]:
    """Execute a file as the engine executes a tool's: a module without a place in the table."""
    spec = importlib.util.spec_from_file_location("__pf_main__", folder / file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with code_of(folder):
        spec.loader.exec_module(module)
    return vars(module)


def both(stack: ExitStack, *folders: Path) -> None:
    for folder in folders:
        stack.callback(FolderUse(folder).close)


LATE = """
import importlib
import pickle

from kinds import Kind

def by_statement():
    import names
    return names.WHO

def by_from():
    from package.names import WHO
    return WHO

def by_plain_folder():
    from plain import part
    return part.WHO

def by_import_module():
    return importlib.import_module("names").WHO

def by_dunder_import():
    return __import__("names").WHO

def by_pickle():
    copy = pickle.loads(pickle.dumps(Kind()))
    assert type(copy) is Kind
    return copy.who

def by_python_pickle():
    copy = pickle._loads(pickle._dumps(Kind()))
    assert type(copy) is Kind
    return copy.who

def by_late_package():
    from package import lazily
    return lazily.load()

ALL = [by_statement, by_from, by_plain_folder, by_import_module, by_dunder_import, by_pickle, by_python_pickle,
       by_late_package]
"""


def late_folder(write: Write, who: str) -> Path:
    return write(
        who,
        {
            "tool.py": LATE,
            "names.py": f"WHO = {who!r}\n",
            "kinds.py": f"class Kind:\n    who = {who!r}\n",
            "plain/part.py": f"WHO = {who!r}\n",
            "package/__init__.py": "",
            "package/names.py": "from .deep.names import WHO\n",
            "package/deep/__init__.py": "",
            "package/deep/names.py": f"WHO = {who!r}\n",
            "package/lazily.py": "def load():\n    from .deep import names\n    return names.WHO\n",
        },
    )


def test_imports_at_call_time(write_folder: Write) -> None:
    folders = [late_folder(write_folder, who) for who in ("ann", "bob", "cyd")]
    with ExitStack() as stack:
        both(stack, *folders)
        tools = [tool(folder) for folder in folders]
        for _ in range(2):
            for code, folder in zip(tools, folders, strict=True):
                assert {function.__name__: function() for function in code["ALL"]} == dict.fromkeys(
                    [function.__name__ for function in code["ALL"]], folder.name
                )


def test_imports_at_call_time_from_many_threads(write_folder: Write) -> None:
    folders = [late_folder(write_folder, who) for who in ("ann", "bob")]
    wrong: list[Any] = []

    def work(code: dict[str, Any], who: str) -> None:
        try:
            for _ in range(30):
                wrong.extend(found for function in code["ALL"] if (found := function()) != who)
        except BaseException as error:
            wrong.append(error)

    with ExitStack() as stack:
        both(stack, *folders)
        threads = [threading.Thread(target=work, args=(tool(folder), folder.name)) for folder in folders * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_a_flow_keeps_its_modules_and_their_state(write_folder: Write) -> None:
    code = "def count():\n    import state\n    state.seen += 1\n    return state.seen, id(state)\n"
    folders = [write_folder(who, {"tool.py": code, "state.py": "seen = 0\n"}) for who in ("ann", "bob")]
    with ExitStack() as stack:
        both(stack, *folders)
        ann, bob = (tool(folder)["count"] for folder in folders)
        counts = [ann(), bob(), ann(), bob(), ann()]
    assert [count for count, _ in counts] == [1, 1, 2, 2, 3]
    assert len({identity for _, identity in counts}) == 2


def test_modules_imported_while_alone_stay_the_flows_own(write_folder: Write) -> None:
    code = "def who():\n    import names\n    return names.WHO, id(names)\n"
    ann, bob = (write_folder(who, {"tool.py": code, "names.py": f"WHO = {who!r}\n"}) for who in ("ann", "bob"))
    use = FolderUse(ann)
    first = tool(ann)["who"]
    alone = first()  # nobody looks at imports yet
    assert builtins.__import__.__module__ == "builtins"
    other = FolderUse(bob)
    assert tool(bob)["who"]()[0] == "bob"
    assert first() == alone
    other.close()
    assert first() == alone
    assert builtins.__import__.__module__ == "builtins"
    use.close()
    use.close()


def test_a_closed_flow_is_forgotten(write_folder: Write) -> None:
    folder = write_folder("ann", {"tool.py": "import names\nWHO = names.WHO\n", "names.py": "WHO = 'first'\n"})
    assert tool(folder)["WHO"] == "first"
    (folder / "names.py").write_text("WHO = 'second one'\n")
    assert tool(folder)["WHO"] == "second one"
    assert "names" not in sys.modules


def test_uses_of_one_folder_share_its_modules(write_folder: Write) -> None:
    code = "import names\ndef identity():\n    import names as again\n    return id(names), id(again)\n"
    folder = write_folder("ann", {"tool.py": code, "names.py": "WHO = 'ann'\n"})
    one, two = FolderUse(folder), FolderUse(folder)
    first, second = tool(folder)["identity"], tool(folder)["identity"]
    one.close()
    assert len({*first(), *second()}) == 1
    two.close()


def test_the_search_path_that_a_tool_extends_is_its_own(write_folder: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    code = """
    import sys
    sys.path.append("../{shared}")
    sys.path.insert(0, "inserted")
    import common
    import own

    def late():
        import later
        return later.WHO, common.WHO, own.WHO
    """
    for who in ("ann", "bob"):
        write_folder(f"shared_{who}", {"common.py": f"WHO = 'common {who}'\n", "later.py": f"WHO = 'later {who}'\n"})
        write_folder(who, {"tool.py": code.replace("{shared}", f"shared_{who}")})
        write_folder(f"{who}/inserted", {"own.py": f"WHO = 'own {who}'\n"})
    root = write_folder(".", {})
    found = {}
    with ExitStack() as stack:
        both(stack, root / "ann", root / "bob")
        for who in ("ann", "bob"):
            monkeypatch.chdir(root / who)
            found[who] = tool(root / who)["late"]
        monkeypatch.chdir(root)
        for who in ("ann", "bob", "ann"):
            assert found[who]() == (f"later {who}", f"common {who}", f"own {who}")


def test_shared_code_on_the_python_path_stays_one_module(write_folder: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = write_folder("shared", {"house_rules.py": "RULES = []\n"})
    code = "import house_rules\ndef rules():\n    import house_rules as late\n    return late.RULES\n"
    folders = [write_folder(who, {"tool.py": code}) for who in ("ann", "bob")]
    monkeypatch.syspath_prepend(shared)
    with ExitStack() as stack:
        both(stack, *folders)
        ann, bob = (tool(folder)["rules"] for folder in folders)
        assert ann() is bob() is sys.modules["house_rules"].RULES
    del sys.modules["house_rules"]
    monkeypatch.undo()


def test_a_flow_below_another(write_folder: Write) -> None:
    code = "def who():\n    import names\n    return names.WHO\n"
    outer = write_folder("outer", {"tool.py": code, "names.py": "WHO = 'outer'\n"})
    inner = write_folder("outer/inner", {"tool.py": code, "names.py": "WHO = 'inner'\n"})
    with ExitStack() as stack:
        both(stack, outer, inner)
        first, second = tool(outer)["who"], tool(inner)["who"]
        assert [first(), second(), first()] == ["outer", "inner", "outer"]


def test_what_is_installed_inside_a_flows_folder_is_not_its_own(
    write_folder: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = write_folder("ann", {"tool.py": "def who():\n    import installed_words\n    return installed_words\n"})
    bob = write_folder("bob", {"tool.py": "def who():\n    import installed_words\n    return installed_words\n"})
    site = write_folder("ann/.venv/lib/site-packages", {"installed_words.py": "WHO = 'installed'\n"})
    monkeypatch.syspath_prepend(site)
    with ExitStack() as stack:
        both(stack, ann, bob)
        assert tool(ann)["who"]() is tool(bob)["who"]()
    del sys.modules["installed_words"]
    monkeypatch.undo()


def test_the_programs_own_modules_are_left_alone(write_folder: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    program = write_folder("program", {"names.py": "WHO = 'program'\n"})
    code = "import names\ndef who():\n    import names as late\n    return names.WHO, late.WHO\n"
    ann = write_folder("ann", {"tool.py": code, "names.py": "WHO = 'ann'\n"})
    monkeypatch.syspath_prepend(program)
    names = importlib.import_module("names")
    use = FolderUse(ann)
    who = tool(ann)["who"]
    assert who() == ("ann", "ann")
    assert sys.modules["names"] is names
    assert importlib.import_module("names") is names
    assert who() == ("ann", "ann")
    use.close()
    assert sys.modules.pop("names") is names
    monkeypatch.undo()


def test_a_module_that_replaces_itself(write_folder: Write) -> None:
    odd = "import sys\nclass Odd:\n    who = {!r}\nsys.modules[__name__] = Odd()\n"
    code = "import odd\ndef who():\n    import odd as late\n    return odd.who, late.who\n"
    folders = [write_folder(who, {"tool.py": code, "odd.py": odd.format(who)}) for who in ("ann", "bob")]
    with ExitStack() as stack:
        both(stack, *folders)
        tools = [tool(folder)["who"] for folder in folders]
        assert [who() for who in tools * 2] == [("ann", "ann"), ("bob", "bob")] * 2


def test_an_import_that_fails_fails_alike_later(write_folder: Write) -> None:
    code = "def late():\n    import broken\n"
    folders = [
        write_folder("ann", {"tool.py": code, "broken.py": "raise ValueError('on purpose')\n"}),
        write_folder("bob", {"tool.py": code}),
    ]
    with ExitStack() as stack:
        both(stack, *folders)
        ann, bob = (tool(folder)["late"] for folder in folders)
        for _ in range(2):
            with pytest.raises(ValueError, match="on purpose"):
                ann()
            with pytest.raises(ModuleNotFoundError, match="broken"):
                bob()


def test_a_helper_thread_imports_for_the_flow_that_started_it(write_folder: Write) -> None:
    code = """
    import threading

    def who():
        found = []
        thread = threading.Thread(target=__import__("functools").partial(load, found))
        thread.start()
        thread.join(20)
        return found

    def load(found):
        import names
        found.append(names.WHO)

    AT_IMPORT = who()
    """
    folders = [write_folder(who, {"tool.py": code, "names.py": f"WHO = {who!r}\n"}) for who in ("ann", "bob")]
    with ExitStack() as stack:
        both(stack, *folders)
        for code_ in [tool(folder) for folder in folders]:
            assert code_["AT_IMPORT"] == code_["who"]() == [Path(code_["__file__"]).parent.name]


def test_code_that_runs_another_flow_while_it_is_imported(write_folder: Write) -> None:
    inner = write_folder("inner", {"tool.py": "import names\nWHO = names.WHO\n", "names.py": "WHO = 'inner'\n"})
    outer = write_folder(
        "outer",
        {"tool.py": "import names\n", "names.py": "WHO = 'outer'\n"},
    )
    found: list[str] = []

    async def run_inner() -> None:
        found.append((await asyncio.to_thread(tool, inner))["WHO"])

    with code_of(outer):
        asyncio.run(run_inner())  # in another thread, while this one keeps its turn
        assert importlib.import_module("names").WHO == "outer"
    assert found == ["inner"]


def test_libraries_that_flows_call_import_for_their_caller(write_folder: Write) -> None:
    library = ModuleType("library_of_test")
    exec("def find(name):\n    return __import__(name).WHO\n", vars(library))
    code = "def who(find):\n    return find('names')\n"
    folders = [write_folder(who, {"tool.py": code, "names.py": f"WHO = {who!r}\n"}) for who in ("ann", "bob")]
    with ExitStack() as stack:
        both(stack, *folders)
        ann, bob = (tool(folder)["who"] for folder in folders)
        assert [ann(library.find), bob(library.find), ann(library.find)] == ["ann", "bob", "ann"]
        token = code_owner.set(str(folders[0]))
        assert library.find("names") == "ann"  # no file of a flow is calling, but its thread is
        code_owner.reset(token)


def test_nothing_is_written_beside_the_users_files(write_folder: Write) -> None:
    folder = write_folder("ann", {"tool.py": "import names\n", "names.py": ""})
    with code_of(folder):
        tool(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["names.py", "tool.py"]
    assert sys.dont_write_bytecode is False or "PYTHONDONTWRITEBYTECODE" in __import__("os").environ


FORKED = """
import os, sys, threading
from pathlib import Path
from flowyard.engine.modules import FolderUse, code_of

uses = [FolderUse(Path(name)) for name in ("ann", "bob")]
begun, release = threading.Event(), threading.Event()

def hold():
    with code_of(Path("ann")):
        begun.set()
        release.wait(30)

thread = threading.Thread(target=hold)
thread.start()
begun.wait()
child = os.fork()
if child == 0:  # the thread that has the turn did not come along
    with code_of(Path("bob")):
        import names
    os._exit(0 if names.WHO == "bob" else 1)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
release.set()
thread.join()
sys.exit(code)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_child_does_not_wait_for_threads_that_it_does_not_have(write_folder: Write) -> None:
    for who in ("ann", "bob"):
        root = write_folder(who, {"names.py": f"WHO = {who!r}\n"}).parent
    done = subprocess.run(
        [sys.executable, "-c", FORKED], cwd=root, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
