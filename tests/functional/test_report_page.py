"""The report in a real browser: a reader can find, compare and open every line, and nothing of the data runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bench.browser_page import BROWSER, BrowserPage, in_new_page, running_browser
from evidence_lab import evidence

from flowyard.records import Comparison, ErrorRecord, LineCounts, LineResult, NodeResult, RunRecord, Usage
from flowyard.reports import summarize
from flowyard.reports.html import render_page
from flowyard.runs.results import ResultWriter
from flowyard.sessions.encoding import LineEncoder

ATTACK = "document.title='owned';document.body.dataset.owned='yes'"
HOSTILE = f'</script><script>{ATTACK}</script><img src=x onerror="{ATTACK}"><svg onload="{ATTACK}"><!--'

pytestmark = pytest.mark.skipif(not BROWSER.exists(), reason=f"no browser at {BROWSER}")


def stored(folder: Path, name: str, lines: list[LineResult], **more: object) -> RunRecord:
    """A run with these lines on disk."""
    path = folder / name
    path.mkdir()
    with ResultWriter(path / "lines.jsonl") as writer:
        for line in lines:
            writer.append(LineEncoder(path / "media").finished(line))
    counts = LineCounts(len(lines), len(lines), 0)
    return RunRecord(name, "completed", "flow", path, **{"dataset": "tickets", "lines": counts, **more})  # type: ignore[arg-type]


def answered(number: int, answer: str, place: int) -> LineResult:
    node = NodeResult(
        "ask", "completed", answer, duration_s=0.2, usage=Usage(1, 7, 3), prompts=(f"user:\nAsk {number}",)
    )
    inputs = {"question": f"question {number}"}
    return LineResult(number, "completed", inputs, {"answer": answer}, nodes=(node,), duration_s=0.1 * (place + 1))


def four_versions(folder: Path, lines: int) -> Path:
    """A page of four versions: of ten lines, b wins 0, loses 1, fails 2 and says the same as a on the rest."""
    failed = ErrorRecord("ValueError", "no answer", "ask")
    found: dict[str, list[LineResult]] = {}
    scores: dict[str, list[float]] = {}
    for place, version in enumerate("abcd"):
        own, values = [], []
        for number in range(lines):
            kind = number % 10 if version == "b" else -1
            said = f"a long answer to {number} that is {'right' if kind == 0 else 'wrong' if kind == 1 else 'told'}"
            line = answered(number, said, place)
            own.append(replace(line, status="failed", outputs={}, error=failed) if kind == 2 else line)
            values.append({0: 1.0, 1: 0.0, 2: 0.5}.get(kind, 0.5))
        found[version], scores[version] = own, values
    runs = tuple(stored(folder, version, own) for version, own in found.items())
    comparison = Comparison("four", "variant", runs, "2025-03-01T10:20:30Z", labels={name: name for name in found})
    known = evidence(list("abcd"), ["tickets"], scores={"accuracy_grade": scores}, lines=range(lines))
    better = tuple(replace(each, metric=replace(each.metric, higher_is_better=True)) for each in known.scores)
    page = folder / "report.html"
    page.write_text(render_page(comparison, summarize(comparison), replace(known, scores=better)), "utf-8")
    return page


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return four_versions(tmp_path_factory.mktemp("four"), 1000)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_browser(tmp_path_factory.mktemp("browser")) as address:
        yield address


@pytest.fixture
def browse(address: str) -> Callable[[Callable[[BrowserPage], Awaitable[None]]], None]:
    """Use a fresh page; at the end it must have complained of nothing and asked for nothing but the page."""

    async def watched(browser: BrowserPage, use: Callable[[BrowserPage], Awaitable[None]]) -> None:
        await browser.look(width=1280)
        await use(browser)
        assert browser.problems == []
        assert [url for url in browser.requests if not url.startswith(("file:", "about:"))] == []

    return lambda use: in_new_page(address, lambda browser: watched(browser, use))


async def choose(browser: BrowserPage, show: str) -> None:
    await browser.get(f"document.querySelector('[data-show={show}]').click()")
    await browser.until(f"document.querySelector('[data-show={show}]').ariaPressed === 'true'")


async def search(browser: BrowserPage, words: str, found: str) -> None:
    await browser.get("document.getElementById('search').focus(); document.getElementById('search').select()")
    await browser.write(words)
    await browser.until(f"document.querySelector('.found').textContent === '{found}'")


FOUND = "document.querySelector('.found').textContent"
OPEN = "document.getElementById('line').open && document.getElementById('line-body').children.length > 0"
TITLE = "document.getElementById('line-title').textContent"
BODY = "document.getElementById('line-body').textContent"


def test_lines_are_filtered_and_compared_as_the_reader_chooses(page: Path, browse) -> None:
    async def use(browser: BrowserPage) -> None:
        await browser.open(page)
        buttons = "[...document.querySelectorAll('[data-show]')].map((each) => each.textContent).join(', ')"
        assert await browser.get(buttons) == "All 1,000, Won 100, Lost 100, Changed 300, Failed 100"
        for show, first in (("won", 0), ("lost", 1), ("failed", 2), ("changed", 0)):
            await choose(browser, show)
            await browser.until(f"{FOUND} === '{300 if show == 'changed' else 100} of 1,000 lines'")
            assert await browser.get("document.querySelector('#rows .number').firstChild.textContent") == str(first)
        await browser.get(
            "for (const [name, place] of [['left', 2], ['right', 3]]) { const select = document.getElementById(name);"
            " select.value = place; select.dispatchEvent(new Event('change')); }"
        )
        await browser.until(f"{FOUND} === '0 of 1,000 lines'")  # c and d say the same
        assert await browser.get("document.getElementById('explained').textContent.startsWith('Won: d scores better')")

    browse(use)


def test_the_keyboard_alone_is_enough(page: Path, browse) -> None:
    async def use(browser: BrowserPage) -> None:
        await browser.open(page)
        await browser.get("document.getElementById('search').focus()")
        await browser.press("Tab", 9)
        assert await browser.get("document.activeElement.id") == "list"
        for key in ("End", "ArrowUp", "PageUp", "Home", "ArrowDown"):
            await browser.press(key)
        selected = "document.getElementById(document.getElementById('list').getAttribute('aria-activedescendant'))"
        assert await browser.get(f"{selected}.getAttribute('aria-selected') + {selected}.dataset.place") == "true1"
        await browser.press("Enter", 13, "\r")
        await browser.until(f"{OPEN} && {TITLE} === 'Line 1'")
        await browser.press("ArrowRight")
        await browser.until(f"{TITLE} === 'Line 2' && {BODY}.includes('no answer')")
        assert await browser.get("location.hash") == "#d0-l2"
        await browser.press("Escape", 27)
        await browser.until("!document.getElementById('line').open && document.activeElement.id === 'list'")

    browse(use)


def test_an_open_line_shows_words_that_differ_and_what_nodes_did(page: Path, browse) -> None:
    async def use(browser: BrowserPage) -> None:
        await browser.open(page, "#d0-l990")
        await browser.until(f"{OPEN} && {TITLE} === 'Line 990'")
        marks = "[...document.querySelectorAll('#line-body mark')].map((each) => each.textContent).join()"
        assert await browser.get(marks) == "right"
        text = await browser.get(BODY)
        for words in ("question 990", "Prompt", "Ask 990", "Output", "200 ms · 10 tokens", "100 ms", "≠"):
            assert words in text
        assert await browser.get("document.querySelectorAll('#line-body .cell').length") == 2
        await browser.get("document.getElementById('every').click()")
        await browser.until("document.querySelectorAll('#line-body .cell').length === 4")

    browse(use)


def test_every_line_is_reached_by_scrolling_and_by_searching(page: Path, browse) -> None:
    async def use(browser: BrowserPage) -> None:
        await browser.open(page)
        await browser.get("document.getElementById('list').scrollTop = 1e9")
        rows = "[...document.querySelectorAll('#rows > .row')]"
        await browser.until(f"{rows}.at(-1)?.textContent.includes('question 999')")
        assert await browser.get(f"{rows}.length") < 40
        assert await browser.get(f"{rows}.at(-1).getAttribute('aria-posinset')") == "1000"
        await search(browser, "999 ANSWER", "1 of 1,000 lines")
        await search(browser, "#998", "1 of 1,000 lines")
        await browser.until("document.querySelector('#rows .number').firstChild.textContent === '998'")
        await search(browser, "nothing has these words", "0 of 1,000 lines")

    browse(use)


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_wider_than_the_window_in_light_or_dark(page: Path, browse, width: int) -> None:
    async def use(browser: BrowserPage) -> None:
        papers = []
        for dark in (False, True):
            await browser.look(width=width, dark=dark)
            await browser.open(page, "#d0-l0")
            await browser.until(OPEN)
            boxes = "[document.documentElement, document.getElementById('line')]"
            sizes = f"{boxes}.every((each) => each.scrollWidth <= each.clientWidth)"
            assert await browser.get(sizes)
            papers.append(await browser.get("getComputedStyle(document.body).backgroundColor"))
            await browser.press("Escape", 27)
        assert papers[0] != papers[1]

    browse(use)


def test_what_can_be_used_has_a_name(page: Path, browse) -> None:
    async def use(browser: BrowserPage) -> None:
        await browser.open(page)
        tree = (await browser.call("Accessibility.getFullAXTree"))["nodes"]
        used = {
            "button",
            "combobox",
            "searchbox",
            "listbox",
            "tab",
            "region",
            "link",
            "image",
            "dialog",
            "option",
            "table",
        }
        found = [(each["role"]["value"], each.get("name", {}).get("value")) for each in tree if not each.get("ignored")]
        nameless = [role for role, name in found if role in used - {"table"} and not name]
        assert nameless == []
        assert {"listbox", "searchbox", "combobox", "button"} <= {role for role, _ in found}

    browse(use)


def test_only_the_pages_own_script_runs(tmp_path: Path, browse) -> None:
    line = LineResult(
        0,
        "failed",
        {HOSTILE: HOSTILE},
        {HOSTILE: HOSTILE},
        ErrorRecord(HOSTILE, HOSTILE, HOSTILE, HOSTILE),
        (NodeResult(HOSTILE, "completed", HOSTILE, prompts=(HOSTILE,)),),
    )
    good = replace(line, line_number=1, status="completed", error=None)
    runs = [stored(tmp_path, f"run{place}", [line, good]) for place in range(2)]
    grades = [
        stored(tmp_path, f"grade{place}", [replace(good, outputs={HOSTILE: f"{HOSTILE}{place}"})]) for place in range(2)
    ]
    labels = {run.name: f"{HOSTILE}{run.name}" for run in runs}
    datasets = {run.name: HOSTILE for run in runs}
    uses = {grade.name: (HOSTILE, run.name) for run, grade in zip(runs, grades, strict=True)}
    comparison = Comparison(HOSTILE, "variant", (*runs, *grades), HOSTILE, {}, uses, labels, datasets, HOSTILE, HOSTILE)
    known = evidence(list(labels.values()), [HOSTILE], metric=HOSTILE, column=HOSTILE, values=[HOSTILE, "x"])
    path = tmp_path / "report.html"
    path.write_text(render_page(comparison, summarize(comparison), known), "utf-8")

    async def use(browser: BrowserPage) -> None:
        for number in (0, 1):
            await browser.open(path, f"#d0-l{number}")
            await browser.until(OPEN)
            await browser.get("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
            assert "<img src=x" in await browser.get(BODY)
            assert (
                await browser.get("document.title + document.body.dataset.owned")
                == f"{HOSTILE} · flowyard reportundefined"
            )
            assert await browser.get("document.querySelectorAll('img, [onerror], [onload]').length") == 0

    browse(use)


def test_text_cannot_be_made_markup_even_by_the_pages_script(page: Path, browse) -> None:
    async def use(browser: BrowserPage) -> None:
        await browser.open(page)
        attempt = "try { document.body.innerHTML = '<b>x</b>'; return 'done'; } catch (error) { return error.name; }"
        refused = f"(() => {{ {attempt} }})()"
        assert await browser.get(refused) == "TypeError"
        browser.problems.clear()

    browse(use)


def test_without_script_a_small_page_can_be_read(tmp_path: Path, browse) -> None:
    path = four_versions(tmp_path, 20)

    async def use(browser: BrowserPage) -> None:
        await browser.call("Emulation.setScriptExecutionDisabled", value=True)
        await browser.load(path.as_uri())
        assert await browser.get("document.getElementById('explorer').hidden && !document.documentElement.className")
        lines = "document.querySelector('.open-lines')"
        assert await browser.get(f"getComputedStyle({lines}).display") == "block"
        text = await browser.get(f"{lines}.textContent")
        for number in range(20):
            assert f"Ask {number}" in text
        assert "a long answer to 19 that is told" in text
        await browser.call("Emulation.setScriptExecutionDisabled", value=False)

    browse(use)
