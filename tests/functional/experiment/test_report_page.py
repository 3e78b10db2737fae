"""The report in a real browser: a reader can find, compare and open every line, and nothing of the data runs."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bench.browser_page import BROWSER, BrowserPage, in_new_page, running_browser
from evidence_lab import evidence

from flowyard.records import Comparison, ErrorRecord, LineCounts, LineResult, NodeResult, RunRecord, Usage
from flowyard.reports import summarize
from flowyard.reports.html import render_page
from flowyard.reports.index import write_index
from flowyard.reports.outcomes import Outcome, write_outcome
from flowyard.runs.results import ResultWriter
from flowyard.sessions.encoding import LineEncoder

ATTACK = "document.title='owned';document.body.dataset.owned='yes'"
HOSTILE = f'</script><script>{ATTACK}</script><img src=x onerror="{ATTACK}"><svg onload="{ATTACK}"><!--'

pytestmark = pytest.mark.skipif(not BROWSER.exists(), reason=f"no browser at {BROWSER}")


def stored(folder: Path, name: str, lines: list[LineResult], **more: object) -> RunRecord:
    """A run with these lines on disk."""
    path = folder / name
    path.mkdir()
    encoder = LineEncoder(path / "media")
    with ResultWriter(path / "lines.jsonl") as writer:
        writer.append(*map(encoder.finished, lines))
    counts = LineCounts(len(lines), len(lines), 0)
    return RunRecord(name, "completed", "flow", path, **{"dataset": "tickets", "lines": counts, **more})  # type: ignore[arg-type]


NUMBER = 777_777
"""Stands for a line's number in a line that many are made from."""


def answered(said: str, place: int) -> LineResult:
    prompt = f"user:\nAsk {NUMBER}"
    node = NodeResult("ask", "completed", said, duration_s=0.2, usage=Usage(1, 7, 3), prompts=(prompt,))
    inputs = {"question": f"question {NUMBER}"}
    return LineResult(NUMBER, "completed", inputs, {"answer": said}, nodes=(node,), duration_s=0.1 * (place + 1))


def repeated(run: RunRecord, lines: int) -> RunRecord:
    """The run with so many lines: those it has, in turn, each with a number of its own; written as they are stored."""
    file = run.path / "lines.jsonl"
    kinds = [line.partition(', "crc32"')[0] for line in file.read_text("utf-8").splitlines()]
    each = (checked(kinds[number % len(kinds)].replace(str(NUMBER), str(number))) for number in range(lines))
    file.write_text("".join(each), "utf-8")
    return replace(run, lines=LineCounts(lines, lines, 0))


def checked(text: str) -> str:
    """A stored line with its checksum, from its text without the last brace."""
    return f'{text}, "crc32": "{zlib.crc32(f"{text}}}".encode()):08x}"}}\n'


def four_versions(folder: Path, lines: int) -> Path:
    """A page of four versions: of ten lines, b wins 0, loses 1, fails 2 and says the same as a on the rest."""
    failed = ErrorRecord("ValueError", "no answer", "ask")
    runs: list[RunRecord] = []
    scores: dict[str, list[float]] = {}
    for place, version in enumerate("abcd"):
        answers = ["right", "wrong", *["told"] * 8] if version == "b" else ["told"] * 10
        kinds = [answered(f"a long answer to {NUMBER} that is {answer}", place) for answer in answers]
        if version == "b":
            kinds[2] = replace(kinds[2], status="failed", outputs={}, error=failed)
        runs.append(repeated(stored(folder, version, kinds), lines))
        values = [1.0, 0.0, *[0.5] * 8] if version == "b" else [0.5] * 10
        scores[version] = (values * (lines // 10 + 1))[:lines]
    labels = {run.name: run.name for run in runs}
    comparison = Comparison("four", "variant", tuple(runs), "2025-03-01T10:20:30Z", labels=labels)
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


def test_the_last_of_ten_thousand_lines_is_reached_by_the_list_and_by_its_number(tmp_path: Path, browse) -> None:
    path = four_versions(tmp_path, 10_000)

    async def use(browser: BrowserPage) -> None:
        await browser.open(path)
        assert "All 10,000" in await browser.get("document.querySelector('[data-show=all]').textContent")
        await browser.get("document.getElementById('list').focus()")
        await browser.press("End")
        rows = "[...document.querySelectorAll('#rows > .row')]"
        await browser.until(f"{rows}.at(-1)?.textContent.includes('question 9999')")
        assert await browser.get(f"{rows}.length") < 40
        assert await browser.get(f"{rows}.at(-1).getAttribute('aria-posinset')") == "10000"
        await browser.press("Enter", 13, "\r")
        await browser.until(f"{OPEN} && {TITLE} === 'Line 9999'")
        assert "Ask 9999" in await browser.get(BODY)
        await browser.press("Escape", 27)
        await search(browser, "#9999", "1 of 10,000 lines")
        await browser.until(f"{rows}.length === 1 && {rows}[0].textContent.includes('question 9999')")
        await browser.open(path, "#d0-l9999")
        await browser.until(f"{OPEN} && {TITLE} === 'Line 9999'")

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
            assert f"question {number}" in text
        assert "a long answer to 19 that is told" in text
        await browser.call("Emulation.setScriptExecutionDisabled", value=False)

    browse(use)


def test_the_index_page_is_filtered_and_hostile_names_are_text(tmp_path: Path, browse) -> None:
    outcomes = [
        ("calm", "1", {"verdict": "pass", "env": "dev", "best": "classify=few_shot", "metric": "accuracy"}),
        ("calm", "2", {"verdict": "fail", "value": 0.5, "metric": "accuracy", "low": 0.4, "high": 0.6}),
        (HOSTILE, "3", dict.fromkeys(("env", "best", "dataset", "metric"), HOSTILE)),
    ]
    for name, key, more in outcomes:
        folder = tmp_path / f"experiment{key}" / key
        folder.mkdir(parents=True)
        write_outcome(Outcome(**{"name": name, "key": key, "created_at": f"2025-03-01T00:00:0{key}"} | more), folder)
    path = write_index(tmp_path)

    async def use(browser: BrowserPage) -> None:
        await browser.load(path.as_uri())
        seen = "[...document.querySelectorAll('tbody tr')].filter((row) => row.checkVisibility())"
        found = "document.getElementById('found').textContent"
        assert await browser.get(f"[{seen}.length, {found}].join()") == "3,3 of 3 executions"
        await browser.get("document.getElementById('words').focus()")
        await browser.write("FEW dev")
        await browser.until(f"{found} === '1 of 3 executions'")
        assert await browser.get(f"{seen}.map((row) => row.querySelector('a').title).join()") == "1"
        await browser.get("document.getElementById('words').select()")
        await browser.write("onerror")
        await browser.until(f"{seen}.length === 1 && {seen}[0].querySelector('a').title === '3'")
        assert await browser.get(f"{seen}[0].querySelector('a').textContent") == HOSTILE
        await browser.get(
            "document.getElementById('words').value = ''; const verdict = document.getElementById('verdict');"
            " verdict.value = 'fail'; verdict.dispatchEvent(new Event('change'));"
        )
        assert await browser.get(f"{seen}.map((row) => row.querySelector('a').title).join()") == "2"
        assert await browser.get("document.querySelectorAll('img, [onerror], [onload]').length") == 0
        assert await browser.get("document.title + document.body.dataset.owned") == "Experiments · flowyardundefined"

    browse(use)
