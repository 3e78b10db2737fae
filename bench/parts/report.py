"""The report's page of 10,000 lines and four variants: how long it takes to write, how big it is, how fast it opens."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from bench.browser_page import BROWSER, BrowserPage, in_browser

from bench.places import SCRATCH
from bench.report_data import make_comparison, make_evidence
from bench.table import Row
from flowyard.reports import summarize
from flowyard.reports.html import render_page

_LINES, _VARIANTS = 10_000, 4
_WANTED_S = 2.0
_FIGURE = f"page of {_LINES} lines × {_VARIANTS} variants"
_FILLED = "document.querySelector('#rows > .row .said').textContent.length > 1"
_FOUND = "document.querySelector('.found').textContent"
_ROWS = "document.querySelectorAll('#rows > .row')"


def run(runs: int) -> list[Row]:
    page = SCRATCH / "report.html"
    write_s = _write(page)
    size = f"{page.stat().st_size / 1e6:.1f} MB"
    rows = [Row("report", f"{_FIGURE}: write", f"{write_s:.1f} s", settings=f"{size}, prompts and all nodes inside")]
    if not BROWSER.exists():
        return rows
    opened, scrolled, searched = (min(times) for times in zip(*(_use(page) for _ in range(runs)), strict=True))
    fresh = "Chromium, headless, fresh profile: from navigation to a list that can be used"
    step, search = f"{scrolled * 1000:.0f} ms", f"{searched:.2f} s"
    return [
        *rows,
        Row("report", f"{_FIGURE}: open", f"{opened:.2f} s", f"{_WANTED_S:g} s", _WANTED_S / opened, 1, fresh),
        Row("report", f"{_FIGURE}: a step of scrolling", step, settings="until the texts of far lines are there"),
        Row("report", f"{_FIGURE}: search all text", search, settings="the first search, which unpacks every line"),
    ]


def _write(page: Path) -> float:
    folder = SCRATCH / "report"
    shutil.rmtree(folder, ignore_errors=True)
    comparison, evidence = make_comparison(folder, _LINES, _VARIANTS), make_evidence(_LINES, _VARIANTS)
    start = time.perf_counter()
    page.write_text(render_page(comparison, summarize(comparison), evidence), "utf-8")
    return time.perf_counter() - start


def _use(page: Path) -> tuple[float, float, float]:
    folder = SCRATCH / "browser"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return in_browser(folder, lambda browser: _measure(browser, page))


async def _measure(browser: BrowserPage, page: Path) -> tuple[float, float, float]:
    """Seconds to open, to show the rows of each of 20 far places, and to search."""
    await browser.look(width=1280)
    start = time.perf_counter()
    await browser.open(page)
    await browser.until(f"{_ROWS}.length > 3 && {_FILLED}")
    opened = time.perf_counter() - start
    start = time.perf_counter()
    for step in range(1, 21):
        await browser.get(f"document.getElementById('list').scrollTop = {step} * 28000")
        await browser.until(f"Number({_ROWS}[0].dataset.place) > {step} * 470 && {_FILLED}")
    scrolled = (time.perf_counter() - start) / 20
    start = time.perf_counter()
    await browser.get("document.getElementById('search').focus()")
    await browser.write("leak water")
    await browser.until(f"{_FOUND}.includes(' of ') && !{_FOUND}.startsWith('10,000')")
    return opened, scrolled, time.perf_counter() - start
