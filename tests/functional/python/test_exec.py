"""``flowyard exec``: a script that imports promptflow runs as under python."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from functional_helper import (
    ASK_FLOW,
    ASK_TEMPLATE,
    PATIENCE_S,
    RULES,
    Completed,
    Project,
    clean_environment,
    ending,
    flowyard,
    one_node_flow,
    start_flowyard,
)


def run(project: Project, *args: str, **environ: str) -> Completed:
    env = {"FLOWYARD_HOME": str(project.home), **environ}
    return flowyard("exec", *args, cwd=project.root, env=env)


def test_a_script_sees_what_python_would_show_it(project: Project) -> None:
    project.write("tools/show.py", "import json, sys\nprint(json.dumps([sys.argv, __name__, __file__, sys.path[0]]))\n")
    done = run(project, "tools/show.py", "--simulate", "x", "-m", "y")
    expected = [["tools/show.py", "--simulate", "x", "-m", "y"], "__main__", "tools/show.py"]
    assert json.loads(done.stdout) == [*expected, str(project.root / "tools")]


def test_a_module_is_run_from_the_working_directory(project: Project) -> None:
    project.write("pack/__init__.py", "")
    project.write(
        "pack/__main__.py", "import sys\nfrom promptflow.core import tool\nprint(sys.argv[1:], __package__)\n"
    )
    assert run(project, "-m", "pack", "a", "-b").stdout == "['a', '-b'] pack\n"


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [("import sys; sys.exit(7)", 7), ("raise SystemExit", 0), ("import sys; sys.exit('gone wrong')", 1), ("1 / 0", 1)],
)
def test_the_exit_code_is_the_scripts_own(project: Project, code: str, exit_code: int) -> None:
    project.write("script.py", code)
    assert run(project, "script.py").returncode == exit_code


def test_a_traceback_shows_the_scripts_frames_only(project: Project) -> None:
    project.write("script.py", "def inner():\n    return {}['key']\n\ninner()\n")
    done = run(project, "script.py")
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "Traceback (most recent call last):"
    assert done.stderr.splitlines()[-1] == "KeyError: 'key'"
    assert "cli/exec.py" not in done.stderr
    assert "bug of flowyard" not in done.stderr


def test_a_script_with_a_syntax_error(project: Project) -> None:
    project.write("script.py", "def (:\n")
    done = run(project, "script.py")
    assert done.returncode == 1
    assert 'File "script.py", line 1' in done.stderr
    assert "SyntaxError" in done.stderr


def test_a_script_that_is_not_there(project: Project) -> None:
    done = run(project, "nothing.py")
    assert done.returncode == 2
    assert "There is no script nothing.py" in done.stderr


def test_simulate_answers_every_model_call(project: Project) -> None:
    project.flow("ask", ASK_FLOW, ask_jinja2=ASK_TEMPLATE)
    project.write("rules.yaml", RULES)
    project.write("script.py", "from promptflow.client import load_flow\nprint(load_flow('ask')(question='Why?'))\n")
    done = run(project, "--simulate", "rules.yaml", "script.py")
    assert done.returncode == 0, done.stderr
    assert "'answer': 'Answer 0." in done.stdout
    missing = run(project, "--simulate", "other.yaml", "script.py")
    assert missing.returncode == 2
    assert "other.yaml" in missing.stderr


def test_an_env_file_has_the_connections(project: Project) -> None:
    project.write("keys.env", 'MY_CONNECTION={"type": "custom", "secrets": {"k": "v"}, "configs": {"a": "b"}}\n')
    code = "found = PFClient().connections.get('my_connection')\nprint(found.a, found.k)\n"
    project.write("script.py", f"from promptflow import PFClient\n{code}")
    assert run(project, "--env-file", "keys.env", "script.py").stdout == "b v\n"


CHILD = """\
import subprocess, sys
code = "from promptflow.client import load_flow; print(load_flow('echo')(x='child'))"
print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout, end="")
"""


def test_child_processes_answer_too_when_asked_for(project: Project) -> None:
    project.echo_flow()
    project.write("script.py", CHILD)
    project.write("site/sitecustomize.py", "import sys\nsys.customized_by_the_user = True\n")
    assert run(project, "--children", "script.py").stdout == "{'out': 'child'}\n"
    asked = "import sys; print(sys.customized_by_the_user)"
    kept = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {asked!r}])"
    project.write("other.py", kept)
    done = run(project, "--children", "other.py", PYTHONPATH=str(project.root / "site"))
    assert done.stdout == "True\n", done.stderr


SPAWN = """\
import multiprocessing
from promptflow.client import load_flow

flow = load_flow("echo")


def call(x):
    return flow(x=x)["out"]


if __name__ == "__main__":
    print(call("first"))
    for method in ("spawn", "fork"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(pool.map(call, ["a", "b", "c"]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_processes_of_multiprocessing_call_flows(project: Project) -> None:
    project.echo_flow()
    project.write("script.py", SPAWN)
    done = run(project, "--children", "script.py")
    assert done.stdout.splitlines() == ["first", "['a', 'b', 'c']", "['a', 'b', 'c']"], done.stderr


def test_one_line_does_it_in_a_bare_interpreter(project: Project) -> None:
    project.echo_flow()
    installed = project.write(
        "site/promptflow/__init__.py", "raise RuntimeError('the installed package was imported')\n"
    )
    code = (
        "import flowyard.as_promptflow\nfrom promptflow.client import load_flow\nprint(load_flow('echo')(x='bare'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project.root,
        env=clean_environment({"PYTHONPATH": str(installed.parents[1]), "FLOWYARD_HOME": str(project.home)}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "{'out': 'bare'}\n", done.stderr


TEST = """\
from promptflow.client import PFClient


def test_flow():
    assert PFClient().test("echo", inputs={"x": "p"}) == {"out": "p"}
"""


def test_pytest_takes_it_as_a_plugin(project: Project, tmp_path: Path) -> None:
    project.echo_flow()
    project.write("test_flows.py", TEST)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "flowyard.as_promptflow",
            "-p",
            "no:cacheprovider",
            "test_flows.py",
        ],
        cwd=project.root,
        env=clean_environment({"FLOWYARD_HOME": str(project.home)}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


SLOW = """\
import time
from promptflow.core import tool


@tool
def work(x: str):
    time.sleep(0 if x == "fast" else 600)
    return x
"""


def test_an_interrupted_run_is_recorded_as_canceled(project: Project) -> None:
    project.flow("slow", one_node_flow({"x": "string"}), work_py=SLOW)
    project.jsonl("data.jsonl", [{"x": "fast"}, {"x": "slow"}])
    code = "PFClient().run('slow', data='data.jsonl', name='mine')"
    project.write("script.py", f"from promptflow import PFClient\n{code}\n")
    folder = project.home / "runs" / "mine"
    env = {"FLOWYARD_HOME": str(project.home)}
    with ending(start_flowyard("exec", "script.py", cwd=project.root, env=env)) as process:
        while not ((folder / "lines.jsonl").exists() and (folder / "lines.jsonl").stat().st_size):
            assert process.poll() is None, "the script ended by itself"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE_S) == 130
    record = json.loads((folder / "run.json").read_text("utf-8"))
    assert (record["status"], record["lines"]["completed"]) == ("canceled", 1)
