"""From a request to an answer by a link: a real mail, a real webhook, a real browser, a real server."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiosmtpd.smtp import SMTP
from bench.browser_page import BROWSER, BrowserPage, in_browser
from functional_helper import Project, ending, start_flowyard, wait_for_text

PLACE = ("--env", "prod", "--digest", "ab" * 32)
ATTACK = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
REPORT = {
    "title": "triage",
    "verdict": "pass",
    "metrics": {"accuracy": {"value": 0.912, "higher_is_better": True}, ATTACK: 1},
    "serving": {"label": f"triage:2 {ATTACK}", "metrics": {"accuracy": 0.88}},
    "gates": [{"gate": "accuracy >= 0.9", "verdict": "pass", "reason": ATTACK}],
    "links": [{"label": "What changed", "url": "https://example.com/diff"}],
}
EXPERIMENT = """\
name: echo
flow: echo
datasets:
- {name: d, source: d.jsonl, mappings: {x: '${data.x}'}}
approval: {notify: [NOTIFY]}
"""

needs_browser = pytest.mark.skipif(not BROWSER.exists(), reason=f"no browser at {BROWSER}")


@contextmanager
def page_server(project: Project) -> Iterator[str]:
    """The address of a running page."""
    ready = project.root / "ready"
    ready.unlink(missing_ok=True)
    words = ("approval", "serve", "--port", "0", "--ready-file", ready, "--home", project.home)
    with ending(start_flowyard(*words, cwd=project.root)):
        yield wait_for_text(ready)


def request_words(project: Project, target: str = "endpoint") -> tuple[str, ...]:
    project.write("report.json", json.dumps(REPORT))
    words = ("approval", "request", "triage:3", *PLACE, "--target", target)
    return (*words, "--report", "report.json", "--by", "rita")


def ask(project: Project, target: str = "endpoint") -> dict[str, Any]:
    asked: dict[str, Any] = project.json(*request_words(project, target))
    return asked


def link_for(project: Project, asked: dict[str, Any], url: str, person: str = "Ann <ann@example.com>") -> str:
    words = ("approval", "link", asked["id"], "--for", person, "--public-url", url)
    made = project.json(*words)
    assert made["for"] == person
    return str(made["url"])


def browse(folder: Path, visit: Callable[[BrowserPage], Awaitable[None]]) -> None:
    """Visit pages; the browser has nothing to complain of, and asked nobody but the page's server."""

    async def use(page: BrowserPage) -> None:
        await visit(page)
        assert page.problems == []
        assert {url.split("/")[2] for url in page.requests if url != "about:blank"} <= {await page.get("location.host")}

    folder.mkdir()
    in_browser(folder, use)


async def answer(page: BrowserPage, link: str, button: str, reason: str) -> str:
    """Write a reason and press a button; what the page says then."""
    await page.load(link)
    assert "owned" not in await page.get("document.title")
    await page.click("textarea")
    await page.write(reason)
    await page.follow(button)
    return str(await page.get("document.querySelector('.standing').textContent"))


@needs_browser
def test_people_answer_by_a_link(project: Project, tmp_path: Path):
    with page_server(project) as url:
        yes, no = ask(project, "endpoint"), ask(project, "another")
        links = [link_for(project, asked, url) for asked in (yes, no)]

        async def visit(page: BrowserPage) -> None:
            await fits(page, links[0])
            for link, button in zip(links, (".yes", ".nay"), strict=True):
                assert "This link has been used." in await answer(page, link, button, "I looked at it")
                await page.load(link)
                assert await page.get("document.querySelector('form')") is None

        browse(tmp_path / "browser", visit)
    with page_server(project) as restarted, urlopen(links[0].replace(url, restarted)) as told:
        assert "This link has been used." in told.read().decode()
    found = [project.json("approval", "wait", yes["id"]), project.json("approval", "wait", no["id"], code=4)]
    assert [each["state"] for each in found] == ["approved", "rejected"]
    for each in found:
        (given,) = each["answers"]
        assert (given["by"], given["reason"], given["via"]) == ("Ann <ann@example.com>", "I looked at it", "link")
    assert project.json("approval", "verify")["verified"] is True


async def fits(page: BrowserPage, link: str) -> None:
    """A phone has no need to scroll sideways, and the time that is left is counted."""
    for width, dark in ((400, True), (1200, False)):
        await page.look(width=width, dark=dark)
        await page.load(link)
        assert await page.get("document.documentElement.scrollWidth") <= width
    assert (
        1
        <= int(await page.get("getComputedStyle(document.querySelector('.left')).getPropertyValue('--minutes')"))
        <= 60
    )
    assert await page.get("document.title") == "triage:3 to endpoint – flowyard"


class Receivers:
    """A mail server and a webhook, in the loop of the test."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.posts: list[Any] = []
        self.status = 200

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        return "250 OK"

    async def take(self, request: web.Request) -> web.Response:
        self.posts.append(await request.json())
        return web.Response(status=self.status)


@asynccontextmanager
async def receiving() -> AsyncIterator[tuple[Receivers, dict[str, str]]]:
    """What was received, and the environment that leads there."""
    loop = asyncio.get_running_loop()
    made, protocols = Receivers(), list[SMTP]()

    def protocol() -> SMTP:
        protocols.append(SMTP(made, hostname="localhost", loop=loop))
        return protocols[-1]

    app = web.Application()
    app.router.add_post("/{secret}", made.take)
    hooks = TestServer(app, host="127.0.0.1")
    await hooks.start_server()
    mail = await loop.create_server(protocol, "127.0.0.1", 0)
    environ = {
        "FLOWYARD_SMTP_URL": f"smtp://127.0.0.1:{mail.sockets[0].getsockname()[1]}",
        "FLOWYARD_SMTP_FROM": "flowyard@example.org",
        "FLOWYARD_WEBHOOK_HOSTS": "127.0.0.1",
        "TEAM_HOOK": f"http://127.0.0.1:{hooks.port}/very-secret-path",
    }
    async with mail:
        yield made, environ
    for each in protocols:
        if each.transport is not None:
            each.transport.close()
    await hooks.close()


def with_policy(project: Project, notify: str) -> tuple[str, ...]:
    project.echo_flow()
    project.jsonl("d.jsonl", [{"x": "1"}])
    project.write("experiment.yaml", EXPERIMENT.replace("NOTIFY", notify))
    return (*request_words(project), "--policy", "experiment.yaml")


async def test_people_are_told_with_a_link_that_answers(project: Project):
    with page_server(project) as url:
        async with receiving() as (received, environ):
            words = with_policy(project, "mailto:ann@example.com, webhook:TEAM_HOOK, slack:TEAM_HOOK, teams:TEAM_HOOK")
            asked = await asyncio.to_thread(project.json, *words, env={**environ, "FLOWYARD_APPROVAL_URL": url})
        (mail,) = received.mails
        text = mail.get_body(("plain",)).get_content()
        assert len(received.posts) == 3
        for told in (text, *map(json.dumps, received.posts)):
            assert "0.912" in told
            assert "0.880" in told
            assert "rita asks" in told
        found = re.search(rf"{re.escape(url)}/answer/\S+", text)
        assert found, text
        assert found[0] not in json.dumps(received.posts)
    assert asked["state"] == "pending"


async def test_what_cannot_be_sent_is_a_warning(project: Project):
    async with receiving() as (received, environ):
        received.status = 404
        words = with_policy(project, "webhook:TEAM_HOOK, slack:UNSET, mailto:ann@example.com")
        environ.pop("FLOWYARD_SMTP_FROM")
        environ["FLOWYARD_APPROVAL_URL"] = "http://approvals.example.com"
        done = await asyncio.to_thread(project.run, *words, env=environ)
    assert done.stderr.count("Warning: Not told by") == 3
    assert "status 404" in done.stderr
    assert "UNSET is not set" in done.stderr
    assert "FLOWYARD_SMTP_FROM is not set" in done.stderr
    assert "Warning: Messages have no links: FLOWYARD_APPROVAL_URL: over http" in done.stderr
    assert "very-secret-path" not in done.stdout + done.stderr
    assert project.json("approval", "list")[0]["state"] == "pending"


def test_a_page_for_others_needs_its_address(project: Project):
    for words in (("--host", "0.0.0.0"), ("--public-url", "http://approvals.example.com")):
        assert "https" in project.rejected("approval", "serve", "--port", "0", *words)


def test_no_link_for_who_may_not_answer(project: Project):
    words = with_policy(project, "")
    project.write("experiment.yaml", EXPERIMENT.replace("notify: [NOTIFY]", "approvers: [ann]"))
    asked = project.json(*words)
    done = project.run("approval", "link", asked["id"], "--for", "eve", "--public-url", "http://localhost:1", code=2)
    assert "eve may not approve" in done.stderr
