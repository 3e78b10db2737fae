"""LLM nodes: the module they name, and prompts that are given to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowyard.errors import UserError

FLOW = """
    inputs:
      q: {type: string}
    outputs:
      out: {type: string, reference: "${ask.output}"}
    nodes:
    - name: ask
      type: llm
      source: {type: code, path: ask.jinja2}
      inputs: {model: gpt, EXTRA}
      connection: open_ai
      MODULE
"""
Write = Callable[..., Path]


def flow(extra: str = 'q: "${inputs.q}"', module: str = "api: chat") -> str:
    return FLOW.replace("EXTRA", extra).replace("MODULE", module)


async def test_the_module_is_imported_for_what_importing_it_does(write: Write, run_line: Any) -> None:
    marks = "from pathlib import Path\nPath(__file__).with_name('imported.txt').write_text('yes')\n"
    folder = write(
        flow(module="module: side_effect_of_a_node"), ask__jinja2="user:\n{{q}}\n", side_effect_of_a_node__py=marks
    )
    assert (await run_line(folder, q="hi")).error is None
    assert (folder / "imported.txt").read_text() == "yes"


async def test_a_module_that_cannot_be_imported(write: Write, run_line: Any) -> None:
    folder = write(
        flow(module="module: bad_module_of_a_node"), ask__jinja2="user:\n{{q}}\n", bad_module_of_a_node__py="1 / 0\n"
    )
    with pytest.raises(UserError, match=r"'bad_module_of_a_node'.*ZeroDivisionError"):
        await run_line(folder, q="hi")


async def test_promptflows_own_modules_need_not_be_there(write: Write, run_line: Any) -> None:
    folder = write(flow(module="module: promptflow.tools.aoai"), ask__jinja2="user:\n{{q}}\n")
    assert (await run_line(folder, q="hi")).outputs == {"out": "ok"}


async def test_a_literal_prompt_is_the_template(write: Write, run_line: Any, model: Any) -> None:
    folder = write(flow('q: "${inputs.q}", prompt: "user:\\nA {{q}}\\n"'), ask__jinja2="user:\n{{q}}\n")
    await run_line(folder, q="hi")
    assert model.requests[0].body["messages"] == [{"role": "user", "content": "A hi"}]


async def test_a_prompt_from_elsewhere_is_not_rendered_again(write: Write, run_line: Any, model: Any) -> None:
    folder = write(flow('prompt: "${inputs.q}"'), ask__jinja2="user:\n{{q}}\n")
    await run_line(folder, q="user:\n{{ 7 * 7 }}\n")
    assert model.requests[0].body["messages"] == [{"role": "user", "content": "{{ 7 * 7 }}"}]
