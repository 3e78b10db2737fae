"""Pains that users of prompt flow reported, where flows in one process, or flow and caller, disturbed each other.

The numbers are explained in docs/isolation.md.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flows_in_process import opened, outputs_of, run_flow
from functional_helper import ECHO_TOOL, Project, clean_environment, one_node_flow
from places import HELPERS

from flowyard._util.aio import run_blocking

VARIABLE = "FLOWYARD_TEST_WHO"


# 12: concurrent sub-flows clash, because the working directory is the process's

SAME_NAMES = """\
import asyncio
import importlib
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import utils
from promptflow.core import tool

AT_IMPORT = Path("name.txt").read_text(), os.environ["FLOWYARD_TEST_WHO"], utils.WHO


@tool
{define} work(x: str):
    import parts.late
    from parts import named

    {pause}
    copy = pickle.loads(pickle.dumps(utils.Kind()))
    with ThreadPoolExecutor(1) as pool:
        in_thread = pool.submit(lambda: (Path("name.txt").read_text(), os.getenv("FLOWYARD_TEST_WHO"))).result()
    found = [
        *AT_IMPORT,
        *in_thread,
        Path("name.txt").read_text(),
        os.environ["FLOWYARD_TEST_WHO"],
        importlib.import_module("utils").WHO,
        parts.late.WHO,
        named.WHO,
        copy.who,
        utils.count(x),
    ]
    if int(x) % 40 == 0:
        script = "import os; print(open('name.txt').read(), os.environ['FLOWYARD_TEST_WHO'])"
        found += subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.split()
    return found
"""


def same_names_flow(project: Project, who: str, *, define: str = "def", pause: str = "pass") -> Path:
    yaml = f"environment_variables: {{{VARIABLE}: {who}}}\n" + one_node_flow({"x": "string"})
    project.flow(who, yaml, work_py=SAME_NAMES.format(define=define, pause=pause))
    project.write(f"{who}/name.txt", who)
    project.write(
        f"{who}/utils.py",
        f"WHO = {who!r}\nseen = []\n"
        f"class Kind:\n    who = {who!r}\ndef count(x):\n    seen.append(x)\n    return WHO\n",
    )
    project.write(f"{who}/parts/__init__.py", "")
    project.write(f"{who}/parts/late.py", "from .named import WHO\n")
    project.write(f"{who}/parts/named.py", f"WHO = {who!r}\n")
    return project.root / who


async def test_12_two_flows_with_the_same_names_over_200_lines_at_once(project: Project) -> None:
    ann = same_names_flow(project, "ann")
    bob = same_names_flow(project, "bob", define="async def", pause="await asyncio.sleep(0)")
    here = Path.cwd()
    runners = [await opened(folder) for folder in (ann, bob, ann, bob)]
    try:
        found = await asyncio.gather(*(outputs_of(runner, map(str, range(50))) for runner in runners))
    finally:
        for runner in runners:
            await runner.close()
    wrong = [
        line
        for folder, lines in zip((ann, bob, ann, bob), found, strict=True)
        for line in lines
        if set(line) != {folder.name}
    ]
    assert wrong == []
    assert [len(lines) for lines in found] == [50] * 4
    assert Path.cwd() == here
    assert VARIABLE not in os.environ
    assert {"utils", "parts"}.isdisjoint(sys.modules)


SUB_FLOW_CALL = """\
import os
from pathlib import Path

import utils
from promptflow.client import load_flow
from promptflow.core import tool

{loaded}


@tool
{define} work(x: str):
    before = Path("name.txt").read_text()
    inner = {call}
    import utils as late
    return [before, Path("name.txt").read_text(), utils.WHO, late.WHO, os.environ["FLOWYARD_TEST_WHO"]], inner["out"]
"""
ONCE = {"loaded": "sub_flow = load_flow('../ann')", "call": "sub_flow(x=x)"}
AT_IMPORT = {"loaded": "sub_flow = load_flow('../ann')\nsub_flow(x='1')", "call": "sub_flow(x=x)"}
EACH = {"loaded": "", "call": "load_flow('../ann')(x=x)"}


@pytest.mark.parametrize("define", ["def", "async def"])
@pytest.mark.parametrize(
    "form", [ONCE, AT_IMPORT, EACH], ids=["loaded once", "called at import", "loaded in each call"]
)
def test_12_a_node_that_calls_a_sub_flow_by_a_relative_path(
    project: Project, define: str, form: dict[str, str]
) -> None:
    """Many lines at once; both flows have modules, files and variables of the same names."""
    same_names_flow(project, "ann")
    variables = f"environment_variables: {{{VARIABLE}: outer}}\n"
    project.flow(
        "outer", variables + one_node_flow({"x": "string"}), work_py=SUB_FLOW_CALL.format(define=define, **form)
    )
    project.write("outer/name.txt", "outer")
    project.write("outer/utils.py", "WHO = 'outer'\n")
    data = project.jsonl("data.jsonl", [{"x": str(n)} for n in range(1, 41)])
    run = project.json("run", "create", "--flow", "outer", "--data", data)
    lines = project.lines(run)
    assert [line["error"] for line in lines] == [None] * 40
    for line in lines:
        own, of_inner = line["outputs"]["out"]
        assert own == ["outer"] * 5
        assert set(of_inner) == {"ann"}


# 11: relative imports, shared code outside the folder, includes that break or leak modules


def utils_flow(project: Project, name: str, says: str, includes: str = "") -> str:
    tool = (
        "from promptflow.core import tool\nfrom utils import says\n\n\n@tool\ndef work(x: str):\n    return says(x)\n"
    )
    project.flow(name, f"{includes}{one_node_flow({'x': 'string'})}", work_py=tool)
    if not includes:
        project.write(f"{name}/utils.py", f"def says(x):\n    return f'{says} {{x}}'\n")
    return name


def test_11_two_flows_of_one_experiment_have_modules_of_the_same_name(project: Project) -> None:
    utils_flow(project, "answer", "answers")
    project.flow(
        "grade",
        one_node_flow({"answer": "string"}),
        work_py="from promptflow.core import tool\nimport utils\n\n\n@tool\ndef work(answer: str):\n"
        "    return utils.grade(answer)\n",
    )
    project.write(
        "grade/utils.py", "def grade(answer):\n    return 'good' if answer.startswith('answers') else 'bad'\n"
    )
    data = project.jsonl("data.jsonl", [{"x": str(n)} for n in range(5)])
    project.write(
        "experiment.yaml",
        f"name: both\nflow: answer\ndatasets:\n- name: d\n  source: {data}\n  mappings: {{x: '${{data.x}}'}}\n"
        "evaluators:\n- name: grade\n  flow: grade\n  datasets:\n"
        "  - name: d\n    mappings: {answer: '${run.outputs.out}'}\n",
    )
    project.run("experiment", "run", "experiment.yaml")
    found = [
        json.loads(line)["outputs"]["out"]
        for file in sorted(project.home.rglob("lines.jsonl"))
        for line in file.read_text().splitlines()
    ]
    assert sorted(found) == sorted([f"answers {n}" for n in range(5)] + ["good"] * 5)


def test_11_shared_code_is_found_on_the_python_path(project: Project) -> None:
    utils_flow(project, "flow", "unused")
    (project.root / "flow" / "utils.py").unlink()
    project.write("library/utils.py", "from house.words import WORD\ndef says(x):\n    return f'{WORD} {x}'\n")
    project.write("library/house/__init__.py", "")
    project.write("library/house/words.py", "from .deep import WORD\n")
    project.write("library/house/deep.py", "WORD = 'shared'\n")
    env = {"PYTHONPATH": str(project.root / "library")}
    assert project.json("flow", "test", "--flow", "flow", "--inputs", "x=1", env=env) == {"out": "shared 1"}


def test_11_shared_code_is_found_through_a_path_that_the_tool_adds(project: Project) -> None:
    project.flow(
        "flow",
        one_node_flow({"x": "string"}),
        work_py="import sys\nsys.path.append('..')\nfrom library.words import WORD\n"
        "from promptflow.core import tool\n\n\n@tool\ndef work(x: str):\n"
        "    from library import late\n    return WORD + late.WORD + x\n",
    )
    project.write("library/words.py", "WORD = 'shared '\n")
    project.write("library/late.py", "WORD = 'later '\n")
    assert project.json("flow", "test", "--flow", "flow", "--inputs", "x=1") == {"out": "shared later 1"}


async def test_11_includes_bring_modules_that_no_other_flow_sees(project: Project) -> None:
    for who in ("ann", "bob"):
        project.write(f"shared/{who}/utils.py", f"def says(x):\n    return f'{who} {{x}}'\n")
        utils_flow(project, who, "unused", f"additional_includes:\n- ../shared/{who}/utils.py\n")
    runners = [await opened(project.root / who) for who in ("ann", "bob")]
    folders = [runner.flow.folder for runner in runners]
    found = await asyncio.gather(*(outputs_of(runner, "12345") for runner in runners))
    assert found == [[f"{who} {x}" for x in "12345"] for who in ("ann", "bob")]
    for runner in runners:
        await runner.close()
    assert all(folder.is_dir() and folder.name in ("ann", "bob") for folder in folders)
    del runner
    runners.clear()
    gc.collect()
    assert not any(folder.exists() for folder in folders)
    assert sorted(path.name for path in (project.root / "ann").iterdir()) == ["flow.dag.yaml", "work.py"]


def test_11_an_include_that_is_missing_is_wrong_input(project: Project) -> None:
    utils_flow(project, "flow", "x", "additional_includes:\n- ../shraed\n")
    project.write("shared/utils.py", "")
    said = project.rejected("flow", "test", "--flow", "flow", "--inputs", "x=1")
    assert "flow.dag.yaml:2: additional_includes names '../shraed', which does not exist." in said
    assert "Did you mean 'shared'?" in said


def test_11_an_error_in_included_code_is_placed(project: Project) -> None:
    project.write("shared/utils.py", "def says(x):\n    return 1 / 0\n")
    utils_flow(project, "flow", "x", "additional_includes:\n- ../shared/utils.py\n")
    done = project.run("flow", "test", "--flow", "flow", "--inputs", "x=1", code=1)
    assert "utils.py:2" in done.stderr
    assert "flowyard-" not in done.stderr


def test_11_what_a_flow_with_includes_writes_is_named_before_it_is_lost(project: Project) -> None:
    tool = ECHO_TOOL.replace("    return x", "    open(f'answer_{x}.txt', 'w').close()\n    return x")
    project.flow("flow", "additional_includes: [../words.txt]\n" + one_node_flow({"x": "string"}), work_py=tool)
    project.write("words.txt", "")
    data = project.jsonl("data.jsonl", [{"x": "1"}, {"x": "2"}])
    done = project.run("run", "create", "--flow", "flow", "--data", data, "--name", "one")
    assert "'answer_1.txt', 'answer_2.txt'" in done.stderr
    assert "temporary copy" in project.json("run", "show", "--name", "one")["warnings"][0]
    tried = project.run("flow", "test", "--flow", "flow", "--inputs", "x=3")
    assert "'answer_3.txt'" in tried.stderr


def test_environment_variables_do_not_leak_into_the_next_run(project: Project) -> None:
    read = ECHO_TOOL.replace("    return x", f"    import os\n    return os.environ.get('{VARIABLE}', 'none')")
    project.flow(
        "first", f"environment_variables: {{{VARIABLE}: first}}\n" + one_node_flow({"x": "string"}), work_py=read
    )
    project.flow("second", one_node_flow({"x": "string"}), work_py=read)
    program = (
        "import asyncio\nfrom pathlib import Path\nfrom flows_in_process import run_flow\n"
        "print([asyncio.run(run_flow(Path(name), '1')) for name in ('first', 'second', 'first', 'second')])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=project.root,
        env=clean_environment({"PYTHONPATH": str(HELPERS)}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("['first', 'none', 'first', 'none']\n", "")


# 13: an async flow is not async

MEET = """\
{imports}
from promptflow.core import tool

met = {barrier}


@tool
{define} work(x: str):
    {wait}
    return x
"""


@pytest.mark.parametrize(
    "forms",
    [
        {"imports": "import asyncio", "barrier": "asyncio.Barrier(20)", "define": "async def"}
        | {"wait": "await asyncio.wait_for(met.wait(), 30)"},
        {"imports": "import threading", "barrier": "threading.Barrier(16)", "define": "def", "wait": "met.wait(30)"},
    ],
    ids=["async", "sync"],
)
async def test_13_lines_are_in_flight_together(project: Project, forms: dict[str, str]) -> None:
    """Each line waits until all have begun: it ends only if none waits for another to end."""
    project.flow("meet", one_node_flow({"x": "string"}), work_py=MEET.format(**forms))
    count = 20 if "async" in forms["define"] else 16
    runner = await opened(project.root / "meet")
    try:
        assert await outputs_of(runner, map(str, range(count))) == [str(n) for n in range(count)]
    finally:
        await runner.close()


async def test_13_a_tool_that_blocks_its_loop_holds_up_its_own_flow_only(project: Project) -> None:
    project.flow(
        "blocks",
        one_node_flow({"x": "string"}),
        work_py="from pathlib import Path\nimport time\nfrom promptflow.core import tool\n\n\n@tool\n"
        "async def work(x: str):\n    until = time.monotonic() + 30\n"
        "    while not Path('go').exists() and time.monotonic() < until:\n        time.sleep(0.01)\n"
        "    return Path('go').exists()\n",
    )
    project.flow("goes_on", one_node_flow({"x": "string"}), work_py=ECHO_TOOL.replace("def work", "async def work"))
    blocks, goes_on = [await opened(project.root / name) for name in ("blocks", "goes_on")]
    blocked = asyncio.ensure_future(outputs_of(blocks, ["1"]))
    assert await outputs_of(goes_on, "abc") == ["a", "b", "c"]
    assert not blocked.done()
    project.write("blocks/go", "")
    assert await blocked == [True]
    await blocks.close()
    await goes_on.close()


# 23: notebooks: a loop runs already

NOTEBOOK: dict[str, Callable[[Path], Any]] = {
    "a plain call": lambda folder: run_blocking(run_flow(folder, "x")),
    "asyncio.run in a thread": lambda folder: in_thread(lambda: asyncio.run(run_flow(folder, "x"))),
    "a plain call in a thread": lambda folder: in_thread(lambda: run_blocking(run_flow(folder, "x"))),
}


def in_thread(call: Callable[[], Any]) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join(30)
    return found[0]


@pytest.mark.parametrize("call", NOTEBOOK.values(), ids=NOTEBOOK)
async def test_23_plain_calls_work_while_a_loop_runs(project: Project, call: Callable[[Path], Any]) -> None:
    """A cell of a notebook runs inside a loop; each repeat works like the first."""
    folder = project.root / project.echo_flow()
    for _ in range(5):
        assert call(folder) == "x"
        assert await run_flow(folder, "x") == "x"


def test_23_a_script_of_its_own_ends_by_itself(project: Project) -> None:
    """The same in a process of its own: it ends, and nothing is said about what was left open."""
    folder = project.root / project.echo_flow()
    program = (
        "import asyncio\nfrom pathlib import Path\nfrom flowyard._util.aio import run_blocking\n"
        "from flows_in_process import run_flow\n"
        f"folder = Path({str(folder)!r})\n"
        "async def cell():\n"
        "    return run_blocking(run_flow(folder, 'sync')), await run_flow(folder, 'awaited')\n"
        "print([asyncio.run(cell()) for _ in range(3)])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=clean_environment({"PYTHONPATH": str(HELPERS)}),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.strip() == str([("sync", "awaited")] * 3)
    assert done.stderr == ""


def test_23_the_command_ends_although_a_tool_started_a_thread_that_does_not(project: Project) -> None:
    tool = ECHO_TOOL.replace(
        "    return x",
        "    import threading\n    threading.Thread(target=threading.Event().wait, daemon=True).start()\n    return x",
    )
    project.flow("flow", one_node_flow({"x": "string"}), work_py=tool)
    assert project.json("flow", "test", "--flow", "flow", "--inputs", "x=1") == {"out": "1"}
