from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from flowyard.engine.tool import collect_metrics, is_tool, log_metric, tool
from flowyard.errors import ConnectionMissing, FlowInvalid, UserError
from flowyard.records import LineResult

Write = Callable[..., Path]
RunLine = Callable[..., Awaitable[LineResult]]


def one_node(inputs: str = '{x: "${inputs.x}"}') -> str:
    return f"""
inputs: {{x: {{type: string, default: v}}}}
outputs: {{y: {{type: string, reference: "${{n.output}}"}}}}
nodes:
  - {{name: n, type: python, source: {{type: code, path: n.py}}, inputs: {inputs}}}
"""


def test_the_decorator_changes_nothing_about_a_function() -> None:
    def plain(x: int) -> int:
        return x + 1

    assert tool(plain) is plain
    assert is_tool(plain)

    @tool(name="n", description="d", type="llm", streaming_option_parameter="stream")
    def with_options(x: int) -> int:
        return x + 1

    assert (with_options(1), is_tool(with_options), with_options.__name__) == (2, True, "with_options")
    assert not is_tool(len)


@pytest.mark.parametrize(
    "head",
    [
        "from promptflow.core import tool\n\n@tool\n",
        "from promptflow.core import tool\n\n@tool()\n",
        "from promptflow import tool\n\n@tool(name='other', description='text')\n",
        "import promptflow.core as core\n\n@core.tool\n",
        "from promptflow.core import tool\nfrom promptflow.tracing import trace\n\n@trace\n@tool\n",
        "from promptflow.core import tool\nfrom promptflow.tracing import trace\n\n@tool\n@trace\n",
        "from promptflow.core import tool\nimport functools\n"
        "def deco(f):\n    @functools.wraps(f)\n    def inner(*a, **k):\n        return f(*a, **k)\n    return inner\n"
        "@tool\n@deco\n",
    ],
)
@pytest.mark.parametrize("define", ["def", "async def"])
async def test_forms_of_a_tool(write: Write, run_line: RunLine, head: str, define: str) -> None:
    line = await run_line(write(one_node(), n__py=f"{head}{define} run(x: str):\n    return x + '!'\n"))
    assert line.error is None
    assert line.outputs == {"y": "v!"}


async def test_an_imported_tool_does_not_count(write: Write, run_line: RunLine) -> None:
    code = (
        "from promptflow.core import tool\nfrom elsewhere import helper\n@tool\ndef run(x):\n    return helper(x) * 2\n"
    )
    other = "from promptflow.core import tool\n@tool\ndef helper(x):\n    return x + '.'\n"
    assert (await run_line(write(one_node(), n__py=code, elsewhere__py=other))).outputs == {"y": "v.v."}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def run(x): return x\n", "no function with @tool"),
        ("from promptflow.core import tool\n@tool\ndef a(x): ...\n@tool\ndef b(x): ...\n", "2 functions with @tool"),
        ("import no_such_package_here\n", "no_such_package_here"),
        ("def run(:\n", "SyntaxError"),
        ("raise SystemExit(3)\n", "SystemExit"),
        ("x = 1\nraise KeyError('gone')\n", "KeyError"),
    ],
)
async def test_files_that_are_no_tool(write: Write, run_line: RunLine, code: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        await run_line(write(one_node(), n__py=code))
    assert str(caught.value.where).startswith("n.py:")


async def test_every_bad_node_is_reported(write: Write, run_line: RunLine) -> None:
    flow = """
    nodes:
      - {name: a, type: python, source: {path: a.py}}
      - {name: b, type: python, source: {path: b.py}}
    """
    with pytest.raises(FlowInvalid) as caught:
        await run_line(write(flow, a__py="1 +\n", b__py="2 +\n"))
    assert [problem.where for problem in caught.value.problems] == ["a.py:1", "b.py:1"]


PROVIDER = """
from promptflow.core import ToolProvider, tool


class Counter(ToolProvider):
    def __init__(self, start: int, step: float = 2):
        super().__init__()
        self.value = start
        self.step = step

    @tool
    def run(self, x):
        self.value += self.step
        return [x, self.value, type(self.step).__name__]
"""


async def test_a_tool_provider_gets_its_literals(write: Write, run_line: RunLine) -> None:
    folder = write(one_node('{start: "40", step: "2", x: "${inputs.x}"}'), n__py=PROVIDER)
    assert (await run_line(folder)).outputs == {"y": ["v", 42.0, "float"]}


@pytest.mark.parametrize("inputs", ['{x: "${inputs.x}"}', '{x: "${inputs.x}", start: "${inputs.x}"}'])
async def test_a_tool_provider_needs_literals(write: Write, run_line: RunLine, inputs: str) -> None:
    with pytest.raises(UserError, match="literal values for: start"):
        await run_line(write(one_node(inputs), n__py=PROVIDER))


async def test_optional_provider_parameters_must_be_literals_too(write: Write, run_line: RunLine) -> None:
    folder = write(one_node('{x: "${inputs.x}", start: 1, step: "${inputs.x}"}'), n__py=PROVIDER)
    with pytest.raises(UserError, match="step"):
        await run_line(folder)


async def test_an_annotation_may_be_any_value(write: Write, run_line: RunLine) -> None:
    code = """
    from promptflow.core import tool

    @tool
    def run(x: {}, names: ["a"] = None):
        return [x, names]
    """
    line = await run_line(write(one_node('{x: "${inputs.x}", names: "[1]"}'), n__py=code))
    assert line.outputs == {"y": ["v", [1]]}


async def test_a_custom_connection_becomes_the_class_that_the_code_declares(write: Write, run_line: RunLine) -> None:
    code = """
    from promptflow.core import tool
    from promptflow.connections import CustomStrongTypeConnection
    from promptflow.contracts.types import Secret

    class Mine(CustomStrongTypeConnection):
        token: Secret
        url: str = "a default"
        region: str = "here"

    @tool
    def run(one: Mine):
        return [type(one).__name__, len(one.token), one.url, one.region]
    """
    line = await run_line(write(one_node("{one: custom}"), n__py=code))
    assert line.outputs == {"y": ["Mine", len("t0p-secret-token"), "u", "here"]}


async def test_connections_by_annotation(write: Write, run_line: RunLine) -> None:
    code = """
    from typing import Union

    from promptflow.connections import AzureOpenAIConnection, CustomConnection, OpenAIConnection
    from promptflow.core import tool


    @tool
    def run(one: CustomConnection, two: Union[OpenAIConnection, AzureOpenAIConnection]):
        return [one.url, one.token, type(two).__name__]
    """
    line = await run_line(write(one_node("{one: custom, two: azure}"), n__py=code))
    assert line.outputs == {"y": ["u", "t0p-secret-token", "AzureOpenAIConnection"]}
    with pytest.raises(UserError, match="takes a CustomConnection"):
        await run_line(write(one_node("{one: open_ai, two: azure}"), n__py=code))
    with pytest.raises(ConnectionMissing, match="Node 'n'"):
        await run_line(write(one_node("{one: nowhere, two: azure}"), n__py=code))


async def test_annotations_as_text(write: Write, run_line: RunLine) -> None:
    code = """
    from __future__ import annotations

    from promptflow.core import tool


    @tool
    def run(a: int, b: float | None = None, c: "Unknown" = None):
        return [a, b, c]
    """
    line = await run_line(write(one_node('{a: "5", b: "1", c: "x"}'), n__py=code))
    assert line.error is None
    assert line.outputs["y"][2] == "x"


async def test_where_a_tool_failed(write: Write, run_line: RunLine) -> None:
    code = "from promptflow.core import tool\n@tool\ndef run(x):\n    return 1 / 0\n"
    line = await run_line(write(one_node(), n__py=code))
    assert line.error is not None
    assert (line.error.type, line.error.node, line.error.where) == ("ZeroDivisionError", "n", "n.py:4")
    assert "1 / 0" in str(line.error.traceback)


@pytest.mark.parametrize(
    "error", ["SystemExit(3)", "StopIteration(1)", "BaseException('odd')", "Exception()", "KeyError('k')"]
)
@pytest.mark.parametrize("define", ["def", "async def"])
async def test_whatever_a_tool_raises_costs_its_line_only(
    write: Write, run_line: RunLine, error: str, define: str
) -> None:
    code = f"from promptflow.core import tool\n@tool\n{define} run(x):\n    raise {error}\n"
    line = await run_line(write(one_node(), n__py=code))
    assert line.status == "failed"
    assert line.error is not None
    assert line.error.node == "n"


async def test_a_secret_in_an_error_is_hidden(write: Write, run_line: RunLine) -> None:
    code = """
    from promptflow.connections import CustomConnection
    from promptflow.core import tool


    @tool
    def run(c: CustomConnection):
        raise ValueError(f"refused: {c.token}")
    """
    line = await run_line(write(one_node("{c: custom}"), n__py=code))
    assert line.error is not None
    assert line.error.message.startswith("refused: ")
    assert "t0p-secret-token" not in repr(line)


def test_metrics_count_only_where_they_are_collected() -> None:
    log_metric("lost", 1)
    with collect_metrics() as metrics:
        log_metric("a", 1)
        log_metric(key="a", value=2, variant_id="v")
    log_metric("late", 1)
    assert metrics == {"a": 2}
