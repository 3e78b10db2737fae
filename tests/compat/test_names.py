"""User code imports promptflow's names, whether or not a real promptflow is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FLOW = """\
inputs: {x: {type: string}}
outputs: {y: {type: string, reference: "${work.output}"}}
nodes:
- {name: work, type: python, source: {type: code, path: work.py}, inputs: {x: "${inputs.x}"}}
"""


def run_flow(folder: Path, code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    (folder / "flow.dag.yaml").write_text(FLOW, "utf-8")
    (folder / "work.py").write_text(code, "utf-8")
    command = [sys.executable, "-m", "flowyard", "flow", "test", "--flow", str(folder), "--inputs", "x=1", "--json"]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env={**os.environ, **environ}, timeout=60
    )


@pytest.mark.parametrize(
    "line",
    [
        "from promptflow.core import tool",
        "from promptflow import tool",
        "from promptflow import tool, log_metric",
        "from promptflow._internal import tool",
        "from promptflow.core import tool, log_metric, ToolProvider",
        "import promptflow.core\ntool = promptflow.core.tool",
        "import promptflow\ntool = promptflow.tool",
        "from promptflow.core import tool\nfrom promptflow.tracing import trace, start_trace",
        "from promptflow.core import tool\nfrom promptflow.connections import AzureOpenAIConnection, CustomConnection",
        "from promptflow.core import tool\nfrom promptflow.entities import OpenAIConnection",
        "from promptflow.core import tool\nfrom promptflow.contracts.types import Secret, PromptTemplate, FilePath",
        "from promptflow import tool, PFClient, load_flow",
        "from promptflow import connections, entities, tool",
        "import promptflow\ntool = promptflow.core.tool",
        "from promptflow.core import tool\nfrom promptflow.contracts.multimedia import Image",
        "from promptflow.core import Prompty, AzureOpenAIModelConfiguration, OpenAIModelConfiguration, tool",
        "from promptflow._core.tool import tool",
    ],
)
def test_the_names_that_flows_import(tmp_path: Path, line: str) -> None:
    done = run_flow(tmp_path, f"{line}\n\n@tool\ndef work(x: str):\n    return x + '!'\n")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"y": "1!"}


def test_an_installed_promptflow_is_not_touched(tmp_path: Path) -> None:
    installed = tmp_path / "site" / "promptflow"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("raise RuntimeError('the installed package was imported')\n", "utf-8")
    flow = tmp_path / "flow"
    flow.mkdir()
    code = "from promptflow.core import tool\n\n@tool\ndef work(x: str):\n    return x\n"
    done = run_flow(flow, code, PYTHONPATH=str(installed.parent))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("from promptflow.core import Nonsense", "promptflow.core.Nonsense"),
        ("from promptflow.nonsense import x", "promptflow.nonsense"),
    ],
)
def test_a_name_that_is_not_covered_is_said(tmp_path: Path, line: str, named: str) -> None:
    done = run_flow(tmp_path, f"{line}\nfrom promptflow.core import tool\n\n@tool\ndef work(x: str):\n    return x\n")
    assert done.returncode == 2
    assert named in done.stderr
    assert "work.py" in done.stderr


EVERY_NAME = """\
import importlib, json
from flowyard._util.promptflow_names import covered_modules

found = {}
for name in covered_modules():
    module = importlib.import_module(name)
    found[name] = [each for each in module.__all__ if getattr(module, each) is not None]
print(json.dumps(found))
"""


def run_script(folder: Path, code: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(code, "utf-8")
    command = [sys.executable, "-m", "flowyard", "exec", *options, "script.py"]
    environ = {**os.environ, "FLOWYARD_HOME": str(folder / "home")}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environ, timeout=60)


def test_every_name_of_every_module_is_there(tmp_path: Path) -> None:
    done = run_script(tmp_path, EVERY_NAME)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {"PFClient", "load_flow", "load_run"} <= set(found["promptflow.client"])
    assert {"FlowContext", "Run", "AzureOpenAIConnection"} <= set(found["promptflow.entities"])
    assert {"Flow", "AsyncFlow", "Prompty", "AsyncPrompty", "tool"} <= set(found["promptflow.core"])
    assert "ThreadPoolExecutorWithContext" in found["promptflow.tracing"]


def test_the_page_of_names_is_what_the_code_says() -> None:
    script = Path(__file__).parents[2] / "scripts" / "python_names.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("line", "symbol", "advice"),
    [
        ("from promptflow.azure import PFClient", "promptflow.azure", "PFClient from promptflow.client"),
        ("import promptflow.azure", "promptflow.azure", "PFClient from promptflow.client"),
        ("from promptflow.executor import FlowExecutor", "promptflow.executor.FlowExecutor", "load_flow"),
        ("from promptflow.batch import BatchEngine", "promptflow.batch", "PFClient().run"),
        ("from promptflow._sdk._utils import dump_yaml", "promptflow._sdk._utils", "internal to promptflow"),
        ("from promptflow.core._utils import x", "promptflow.core._utils", "internal to promptflow"),
        ("import promptflow\npromptflow.nonsense", "promptflow.nonsense", "docs/python.md"),
    ],
)
def test_what_to_use_instead_is_said(tmp_path: Path, line: str, symbol: str, advice: str) -> None:
    done = run_script(tmp_path, f"{line}\n")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(("ImportError: ", "ModuleNotFoundError: "))
    assert symbol in last
    assert advice in last


def test_a_script_can_ask_whether_a_name_is_covered(tmp_path: Path) -> None:
    code = "try:\n    from promptflow.azure import PFClient\nexcept ImportError:\n    print('local')\n"
    assert run_script(tmp_path, code).stdout == "local\n"


USER_RAISES = """\
from promptflow.exceptions import ErrorTarget, PromptflowException, SystemErrorException, UserErrorException


class OfTheUser(UserErrorException):
    pass


try:
    raise OfTheUser(message_format="no {thing} here", thing="answer", target=ErrorTarget.TOOL)
except PromptflowException as error:
    print(error, error.error_codes, error.target.value, error.message_parameters, error.reference_code)
print(issubclass(OfTheUser, SystemErrorException), UserErrorException("plain").message)
"""


def test_user_code_raises_these_exceptions_itself(tmp_path: Path) -> None:
    done = run_script(tmp_path, USER_RAISES)
    assert done.stdout.splitlines() == [
        "no answer here ['UserError', 'OfTheUser'] Tool {'thing': 'answer'} Tool",
        "False plain",
    ]
