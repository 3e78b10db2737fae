"""The page to try a flow, in a real browser against a real server."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from bench.browser_page import BROWSER, BrowserPage, in_browser
from functional_helper import ASK_TEMPLATE, RULES, Project, one_node_flow
from serve_helper import ASKED, CHAT, serving

pytestmark = pytest.mark.skipif(not BROWSER.exists(), reason=f"no browser at {BROWSER}")

ATTACK = "<img src=x onerror=\"document.title='owned'\">"
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SEE = """\
inputs:
  question: {type: list, is_chat_input: true}
  chat_history: {type: list, is_chat_history: true, default: []}
outputs:
  answer: {type: list, reference: "${see.output}", is_chat_output: true}
nodes:
- name: see
  type: python
  source: {type: code, path: see.py}
  inputs: {parts: "${inputs.question}", history: "${inputs.chat_history}"}
"""
SEE_CODE = """\
from promptflow.core import tool
from promptflow.contracts.multimedia import Image


@tool
def see(parts: list, history: list):
    pictures = [part for part in parts if isinstance(part, Image)]
    return [f"{len(pictures)} seen after {len(history)} turns", *pictures]
"""


FAILING = """\
from promptflow.core import tool


@tool
def work(x: int):
    raise ValueError(f"no {x}")
"""


def browse(folder: Path, visit: Callable[[BrowserPage], Awaitable[None]]) -> None:
    """Visit the page, of which the browser has nothing to complain and which asks nobody but its server."""

    async def use(page: BrowserPage) -> None:
        await visit(page)
        host = await page.get("location.host")
        assert page.problems == []
        assert {url.split("/")[2] for url in page.requests if url.startswith("http")} <= {host}
        assert await page.get("document.title") != "owned"

    in_browser(folder, use)


async def opened(page: BrowserPage, url: str) -> None:
    await page.load(f"{url}/")
    await page.until("document.body.dataset.ready")


async def sent(page: BrowserPage, name: str, text: str) -> None:
    """Write into an input and press the button; until the answer is complete."""
    await page.get(f"document.getElementById('input-{name}').focus()")
    await page.write(text)
    await page.get("document.body.dataset.busy = ''")
    await page.click("#send")
    await page.until("document.body.dataset.busy === 'false'")


async def texts(page: BrowserPage, selector: str) -> list[str]:
    found = await page.get(f"JSON.stringify([...document.querySelectorAll('{selector}')].map((e) => e.textContent))")
    return [str(text) for text in json.loads(found)]


def test_a_chat_streams_and_keeps_its_history(project: Project, tmp_path: Path):
    project.write("rules.yaml", RULES)
    flow = project.flow("talk", CHAT, ask_jinja2=ASK_TEMPLATE)
    with serving(project, flow, "--simulate", "rules.yaml") as ask:

        async def visit(page: BrowserPage) -> None:
            await page.look(width=400, height=800, dark=True)
            await opened(page, ask.url)
            assert await page.get("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 27)"
            await sent(page, "question", ASKED)
            assert (await texts(page, "li .said"))[-1] == "The capital."
            await sent(page, "question", ATTACK)
            assert ATTACK in await texts(page, "li .said")
            assert await page.get("document.querySelectorAll('li').length") == 4
            assert await page.get("document.documentElement.scrollWidth") <= 400
            assert not await page.get("document.getElementById('simulated').hidden")
            await page.click("#again")
            assert await page.get("document.querySelectorAll('li').length") == 0

        browse(tmp_path / "browser", visit)


def test_a_chat_takes_and_shows_pictures(project: Project, tmp_path: Path):
    flow = project.flow("see", SEE, see_py=SEE_CODE)
    with serving(project, flow) as ask:

        async def visit(page: BrowserPage) -> None:
            await page.look(width=360, height=640)
            await opened(page, ask.url)
            await page.get(
                f"""{{
                const bytes = Uint8Array.from(atob("{PICTURE}"), (each) => each.charCodeAt(0));
                const chosen = new DataTransfer();
                chosen.items.add(new File([bytes], "a.png", {{ type: "image/png" }}));
                document.getElementById("files").files = chosen.files;
                }}"""
            )
            await sent(page, "question", "look")
            assert "1 seen after 0 turns" in await texts(page, "li .said")
            assert await page.get("document.querySelectorAll('li img').length") == 2
            await sent(page, "question", "again")
            assert (await texts(page, "li .said"))[-1] == "0 seen after 1 turns"
            assert await page.get("document.documentElement.scrollWidth") <= 360

        browse(tmp_path / "browser", visit)


def test_other_flows_have_a_form(project: Project, tmp_path: Path):
    code = "from promptflow.core import tool\n\n\n@tool\n"
    code += "def work(x: str, n: int, b: bool, o: dict):\n    return repr((x, n, b, o))\n"
    flow = project.flow("form", one_node_flow({"x": "string", "n": "int", "b": "bool", "o": "object"}), work_py=code)
    with serving(project, flow) as ask:

        async def visit(page: BrowserPage) -> None:
            await page.look(width=400, height=800)
            await opened(page, ask.url)
            await page.get("document.getElementById('input-n').value = '3'")
            await page.get("document.getElementById('input-b').value = 'true'")
            await page.get("""document.getElementById('input-o').value = '{"a": 1}'""")
            await sent(page, "x", ATTACK)
            assert await texts(page, "#result .said") == [repr((ATTACK, 3, True, {"a": 1}))]
            assert await page.get("document.documentElement.scrollWidth") <= 400

        browse(tmp_path / "browser", visit)


def test_a_failure_is_said(project: Project, tmp_path: Path):
    flow = project.flow("fail", one_node_flow({"x": "int"}), work_py=FAILING)
    with serving(project, flow) as ask:

        async def visit(page: BrowserPage) -> None:
            await opened(page, ask.url)
            await page.get("document.getElementById('input-x').value = '7'")
            await page.click("#send")
            await page.until("!document.getElementById('failure').hidden")
            assert "ValueError: no 7" in await page.get("document.getElementById('failure').textContent")
            problems = [problem for problem in page.problems if "400" not in problem]
            page.problems[:] = problems  # the browser notes the answer's status

        browse(tmp_path / "browser", visit)
