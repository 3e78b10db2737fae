"""Package tools through the command line: those of an installed package, ours, and pictures in and out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from functional_helper import Project
from pictures import PNG

YAML = """\
inputs:
  q: {type: string}
outputs:
  out: {type: string, reference: "${work.output}"}
nodes:
- name: work
  type: TYPE
  source: SOURCE
  inputs: INPUTS
"""
PACKAGE = """\
from enum import Enum

from promptflow.connections import CustomStrongTypeConnection
from promptflow.contracts.types import PromptTemplate, Secret
from promptflow.core import ToolProvider, tool
from promptflow.tools.common import render_jinja_template


class Mode(str, Enum):
    LOUD = "loud"
    QUIET = "quiet"


class ShopConnection(CustomStrongTypeConnection):
    api_key: Secret
    api_base: str = "https://shop.example"


@tool
def plain(q: str, count: int = 2, mode: Mode = Mode.QUIET, more: object = None):
    return [q, count, mode, more]


class Counter(ToolProvider):
    def __init__(self, start: int):
        super().__init__()
        self.start = start

    @tool
    def count(self, q: str):
        return self.start + len(q)


@tool
def shop(q: str, connection: ShopConnection):
    return [type(connection).__name__, connection.api_base, connection.api_key == "s3cret-of-the-shop"]


@tool
def prompted(prompt: PromptTemplate, **values):
    return render_jinja_template(prompt, **{key: value for key, value in values.items() if key != "_inputs_to_escape"})


def list_counts(prefix=""):
    raise RuntimeError("only the studio asks for lists")


def package_tools():
    inputs = {"q": {"type": ["string"]}}
    listed = {"type": ["int", "string"], "dynamic_list": {"func_path": "shop_tools.list_counts"}, "default": 2}
    module = {"module": "shop_tools", "type": "python", "icon": {"light": "data:,", "dark": "data:,"}}
    return {
        "shop_tools.plain": {
            **module, "name": "Plain", "function": "plain",
            "inputs": {**inputs, "count": listed, "more": {"type": ["list", "object"]}},
            "deprecated_tools": ["shop_tools.former"], "category": "x", "tags": {"a": "b"}, "tool_state": "preview",
        },
        "shop_tools.Counter.count": {**module, "class_name": "Counter", "function": "count", "inputs": inputs},
        "shop_tools.shop": {
            **module, "function": "shop",
            "inputs": {**inputs, "connection": {"type": ["CustomConnection"], "custom_type": ["ShopConnection"]}},
        },
        "shop_tools.prompted": {**module, "type": "custom_llm", "function": "prompted", "inputs": {}},
        "shop_tools.missing": {**module, "function": "not_there", "inputs": inputs},
    }
"""


@pytest.fixture
def packages(tmp_path: Path) -> dict[str, str]:
    """An installed package that offers tools, and one that cannot be imported."""
    site = tmp_path / "site"
    for name, entry in (("shop_tools", "shop_tools:package_tools"), ("broken_tools", "broken_tools:tools")):
        info = site / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", "utf-8")
        (info / "entry_points.txt").write_text(f"[package_tools]\n{name} = {entry}\n", "utf-8")
    (site / "shop_tools.py").write_text(PACKAGE, "utf-8")
    (site / "broken_tools.py").write_text("import something_that_is_not_installed\n", "utf-8")
    return {"PYTHONPATH": str(site)}


def flow(project: Project, tool: str, inputs: dict[str, Any], prompt: str | None = None) -> str:
    source = {
        "type": "package_with_prompt" if prompt else "package",
        "tool": tool,
        **({"path": "p.jinja2"} if prompt else {}),
    }
    text = YAML.replace("TYPE", "custom_llm" if prompt else "python").replace("SOURCE", json.dumps(source))
    project.flow(
        "flow", text.replace("INPUTS", json.dumps(inputs if "input" in inputs else {"q": "${inputs.q}", **inputs}))
    )
    if prompt:
        project.write("flow/p.jinja2", prompt)
    project.write("flow/.promptflow/flow.tools.json", '{"package": "not looked at", "code"')
    return "flow"


@pytest.mark.parametrize(
    ("tool", "inputs", "prompt", "out"),
    [
        ("shop_tools.plain", {"count": "3", "mode": "loud", "more": "[1]"}, None, ["hi", 3, "loud", [1]]),
        ("shop_tools.plain", {}, None, ["hi", 2, "quiet", None]),
        ("shop_tools.former", {"count": ""}, None, ["hi", 2, "quiet", None]),
        ("shop_tools.Counter.count", {"start": "40"}, None, 42),
        ("shop_tools.shop", {"connection": "my_shop"}, None, ["ShopConnection", "https://shop.example", True]),
        ("shop_tools.prompted", {"n": 3}, "Say {{q}} {{n}}", "Say hi 3"),
    ],
)
def test_tools_of_an_installed_package(
    project: Project, packages: dict[str, str], tool: str, inputs: dict[str, Any], prompt: str | None, out: Any
) -> None:
    secret = json.dumps({"type": "custom", "configs": {}, "secrets": {"api_key": "s3cret-of-the-shop"}})
    path = flow(project, tool, inputs, prompt)
    done = project.run(
        "flow", "test", "--flow", path, "--inputs", "q=hi", "--json", env={**packages, "my_shop": secret}
    )
    assert json.loads(done.stdout) == {"out": out}
    assert "broken_tools" in done.stderr
    assert "something_that_is_not_installed" in done.stderr
    assert ("is called 'shop_tools.plain' now" in done.stderr) == (tool == "shop_tools.former")


def test_a_tool_that_is_not_there_names_near_ones(project: Project, packages: dict[str, str]) -> None:
    said = project.rejected(
        "flow", "test", "--flow", flow(project, "shop_tools.plian", {}), "--inputs", "q=hi", env=packages
    )
    assert "Did you mean 'shop_tools.plain'?" in said
    assert "broken_tools" in said
    said = project.rejected(
        "flow", "test", "--flow", flow(project, "shop_tools.missing", {}), "--inputs", "q=hi", env=packages
    )
    assert "not_there" in said


def test_a_service_is_not_simulated_and_the_error_says_what_to_set(project: Project) -> None:
    path = flow(project, "promptflow.tools.serpapi.SerpAPI.search", {"query": "x", "connection": "my web"})
    rules = project.write("rules.yaml", "rules: []\n")
    said = project.rejected("flow", "test", "--flow", path, "--inputs", "q=hi", "--simulate", rules)
    assert "only models are simulated" in said
    assert "MY_WEB_TYPE=serp MY_WEB_API_KEY=…" in said


def test_models_behind_tools_are_simulated(project: Project) -> None:
    rules = project.write("rules.yaml", "rules:\n- when: {user: 'hi'}\n  reply: simulated\n")
    inputs = {"connection": "c", "model": "m"}
    path = flow(project, "promptflow.tools.llm_vision.llm_vision", inputs, "user:\n{{q}}\n")
    assert project.json("flow", "test", "--flow", path, "--inputs", "q=hi", "--simulate", rules) == {"out": "simulated"}
    path = flow(project, "promptflow.tools.embedding.embedding", {"connection": "c", "input": "${inputs.q}"})
    vector = project.json("flow", "test", "--flow", path, "--inputs", "q=hi", "--simulate", rules)["out"]
    assert all(isinstance(number, float) for number in vector)


PICTURE_FLOW = """\
inputs:
  photo: {type: image}
outputs:
  out: {type: image, reference: "${work.output}"}
nodes:
- name: work
  type: python
  source: {type: code, path: work.py}
  inputs: {photo: "${inputs.photo}"}
"""
PICTURE_TOOL = """\
from promptflow.contracts.multimedia import Image
from promptflow.core import tool


@tool
def work(photo: Image):
    return {"same": photo, "size": len(photo)}
"""


def test_pictures_of_a_run_are_files_beside_it_and_can_be_evaluated(project: Project) -> None:
    project.flow("pictures", PICTURE_FLOW, work_py=PICTURE_TOOL)
    (project.root / "data").mkdir()
    (project.root / "data" / "cat.png").write_bytes(PNG)
    data = project.jsonl("data/rows.jsonl", [{"photo": {"data:image/png;path": "cat.png"}}, {"photo": "none.png"}])
    run = project.json("run", "create", "--flow", "pictures", "--data", data, code=1)
    first, second = project.lines(run)
    path = Path(first["outputs"]["out"]["same"]["data:image/png;path"])
    assert (path.is_absolute(), path.read_bytes(), path.parent.parent) == (True, PNG, Path(run["path"]))
    assert first["inputs"]["photo"] == first["outputs"]["out"]["same"]
    assert second["error"]["type"] == "InputInvalid"
    assert "none.png" in second["error"]["message"]
    text = PICTURE_FLOW.replace("type: image}", "type: object}", 1)
    project.flow(
        "evaluate", text, work_py=PICTURE_TOOL.replace("photo: Image", "photo").replace("photo)}", 'photo["same"])}')
    )
    again = project.json(
        "run", "create", "--flow", "evaluate", "--run", run["name"], "--column-mapping", "photo=${run.outputs.out}"
    )
    (line,) = project.lines(again)
    assert line["outputs"]["out"]["size"] == len(PNG)


def test_pictures_of_a_test_are_printed_or_written(project: Project) -> None:
    project.flow("pictures", PICTURE_FLOW, work_py=PICTURE_TOOL)
    (project.root / "pictures" / "cat.png").write_bytes(PNG)
    printed = project.json("flow", "test", "--flow", "pictures", "--inputs", "photo=cat.png")
    assert printed["out"]["size"] == len(PNG)
    assert list(printed["out"]["same"]) == ["data:image/png;base64"]
    written = project.json("flow", "test", "--flow", "pictures", "--inputs", "photo=cat.png", "--detail", "seen")
    path = written["out"]["same"]["data:image/png;path"]
    assert (project.root / "seen" / path).read_bytes() == PNG
    assert json.loads((project.root / "seen" / "flow.output.json").read_text("utf-8")) == written
    assert sorted(file.name for file in (project.root / "pictures").iterdir()) == [
        "cat.png",
        "flow.dag.yaml",
        "work.py",
    ]
