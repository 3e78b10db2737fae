"""The page as the network sees it: who is let in, what changes something, and what a browser is told."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from approval_office import Office

from flowyard.approval.links import LinkSigner, Purpose
from flowyard.approval.model import Approval, ApprovalPolicy, ApprovalState, ApprovalSubject
from flowyard.approval.page import OPEN_ROUTES, make_approval_app
from flowyard.approval.page_guard import PageAddress

SIGNER = LinkSigner(b"k" * 32)
OWN = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
"""What a browser says of our own form: we send no referrer, so it keeps its origin to itself."""


@dataclass
class Site:
    """A served page and one visitor."""

    office: Office
    server: TestServer
    session: aiohttp.ClientSession
    complaints: list[str] = field(default_factory=list)

    def link(self, asked: Approval, approver: str = "ann", purpose: Purpose = "answer") -> str:
        return f"/answer/{SIGNER.sign(asked.request, approver, purpose)}"

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, str, Any]:
        url = f"http://127.0.0.1:{self.server.port}{path}"
        async with self.session.request(method, url, allow_redirects=False, **more) as response:
            return response.status, await response.text(), response.headers

    async def form(self, link: str) -> dict[str, str]:
        status, page, _ = await self.ask("GET", link)
        assert status == 200
        found = re.search(r'name="form_token" value="([^"]+)"', page)
        assert found, page
        return {"form_token": html.unescape(found[1]), "decision": "approve", "reason": "looks good"}

    async def answer(self, link: str, **more: str) -> tuple[int, str, Any]:
        return await self.ask("POST", link, data={**await self.form(link), **more}, headers=OWN)

    def state(self, asked: Approval) -> ApprovalState:
        return self.office.another_desk().get(asked.request.id).state


async def serve(office: Office, complaints: list[str], public_url: str | None = None) -> TestServer:
    app = make_approval_app(office.another_desk(), SIGNER, PageAddress(public_url), complaints.append)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    return server


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    complaints: list[str] = []
    server = await serve(Office(tmp_path), complaints)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield Site(Office(tmp_path), server, session, complaints)
    await server.close()
    assert complaints == []


@pytest.mark.parametrize(("decision", "state"), [("approve", "approved"), ("reject", "rejected")])
async def test_an_answer_is_in_the_ledger_with_name_reason_and_way(site: Site, decision: str, state: str):
    asked = site.office.asked()
    link = site.link(asked, "Ann <ann@a.test>")
    status, _, headers = await site.answer(link, decision=decision, reason="I <b>looked</b>\r\nat it")
    assert (status, headers["Location"]) == (303, link)
    found = site.office.another_desk().get(asked.request.id)
    assert found.state == state
    (answer,) = found.answers
    assert (answer.by, answer.reason, answer.via) == ("Ann <ann@a.test>", "I <b>looked</b>\nat it", "link")
    status, page, _ = await site.ask("GET", link)
    assert status == 200
    assert "This link has been used." in page
    assert "<form" not in page
    assert "<b>looked" not in page


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_looking_changes_nothing(site: Site, method: str):
    asked = site.office.asked()
    before = site.office.desk.ledger.read().head
    for prefetch in ({}, {"Purpose": "prefetch"}, {"Sec-Purpose": "prefetch;prerender"}):
        query = "?decision=approve&reason=x"
        status, _, _ = await site.ask(method, site.link(asked) + query, headers=prefetch)
        assert status == 200
    assert site.office.another_desk().ledger.read().head == before
    assert site.state(asked) is ApprovalState.PENDING


async def test_a_link_works_once(site: Site):
    asked = site.office.asked(approvals=2)
    link = site.link(asked)
    form = await site.form(link)
    assert (await site.ask("POST", link, data=form, headers=OWN))[0] == 303
    for decision in ("approve", "reject"):
        status, page, _ = await site.ask("POST", link, data={**form, "decision": decision}, headers=OWN)
        assert status == 409
        assert "This link has been used." in page
    assert len(site.office.another_desk().get(asked.request.id).answers) == 1
    assert site.state(asked) is ApprovalState.PENDING


async def test_a_link_works_once_also_when_it_is_used_many_times_at_once(site: Site):
    asked = site.office.asked(approvals=2)
    link = site.link(asked, "")
    form = await site.form(link)
    answers = [site.ask("POST", link, data={**form, "name": f"person {number}"}, headers=OWN) for number in range(8)]
    statuses = [status for status, _, _ in await asyncio.gather(*answers)]
    assert sorted(statuses) == [303, *[409] * 7]
    assert len(site.office.another_desk().get(asked.request.id).answers) == 1


async def test_a_replay_after_a_restart_fails(site: Site):
    asked = site.office.asked(approvals=2)
    link = site.link(asked)
    form = await site.form(link)
    assert (await site.ask("POST", link, data=form, headers=OWN))[0] == 303
    restarted = await serve(site.office, site.complaints)
    site.server, before = restarted, site.server
    try:
        assert (await site.ask("POST", link, data={**form, "decision": "reject"}, headers=OWN))[0] == 409
    finally:
        await restarted.close()
        site.server = before


async def test_a_server_may_restart_between_the_page_and_the_answer(site: Site):
    asked = site.office.asked()
    link = site.link(asked)
    form = await site.form(link)
    restarted = await serve(site.office, site.complaints)
    site.server, before = restarted, site.server
    try:
        assert (await site.ask("POST", link, data=form, headers=OWN))[0] == 303
    finally:
        await restarted.close()
        site.server = before
    assert site.state(asked) is ApprovalState.APPROVED


async def test_one_with_a_channels_link_says_their_name(site: Site):
    asked = site.office.asked()
    link = site.link(asked, "")
    assert 'name="name"' in (await site.ask("GET", link))[1]
    assert (await site.answer(link))[0] == 400
    assert site.state(asked) is ApprovalState.PENDING
    assert (await site.answer(link, name="Zoë"))[0] == 303
    (answer,) = site.office.another_desk().get(asked.request.id).answers
    assert (answer.by, answer.evidence["name"]) == ("Zoë", "given by the person who answered")


async def test_a_name_cannot_be_chosen_with_a_persons_link(site: Site):
    asked = site.office.asked()
    await site.answer(site.link(asked, "ann"), name="the boss")
    assert site.office.another_desk().get(asked.request.id).answers[0].by == "ann"


async def test_who_may_only_look_cannot_answer(site: Site):
    asked = site.office.asked()
    look = site.link(asked, "", "look")
    status, page, _ = await site.ask("GET", look)
    assert status == 200
    assert "<form" not in page
    form = await site.form(site.link(asked))
    assert (await site.ask("POST", look, data={**form, "name": "eve"}, headers=OWN))[0] == 403
    assert site.state(asked) is ApprovalState.PENDING


async def test_a_form_fits_its_own_link_only(site: Site):
    asked = site.office.asked()
    form = await site.form(site.link(asked))
    assert (await site.ask("POST", site.link(asked), data=form, headers=OWN))[0] == 403
    assert site.state(asked) is ApprovalState.PENDING


async def test_when_the_time_is_over_nothing_is_answered(site: Site, tmp_path: Path):
    asked = site.office.asked()
    link = site.link(asked)
    late = Office(tmp_path)
    form = await site.form(link)
    late.clock.move(minutes=60)
    server = await serve(late, site.complaints)
    site.server, before = server, site.server
    try:
        # The late desk has a clock of its own; what its server writes is what everyone sees afterwards.
        app_desk = late.desk
        assert app_desk.get(asked.request.id).state is ApprovalState.TIMED_OUT
        status, page, _ = await site.ask("GET", link)
        assert status == 200
        assert "The time to answer is over" in page
        status, page, _ = await site.ask("POST", link, data=form, headers=OWN)
        assert status == 410
        assert "no answer means no" in page
    finally:
        await server.close()
        site.server = before
    assert late.another_desk().get(asked.request.id).answers == ()


async def test_a_void_request_says_so(site: Site):
    asked = site.office.asked()
    link = site.link(asked)
    form = await site.form(link)
    newer = site.office.asked()
    status, page, _ = await site.ask("GET", link)
    assert status == 200
    assert "This request is closed: void." in page
    assert (await site.ask("POST", link, data=form, headers=OWN))[0] == 409
    assert site.state(newer) is ApprovalState.PENDING


async def test_one_who_answered_by_another_way_is_told(site: Site):
    asked = site.office.asked(approvals=2)
    link = site.link(asked, "Ann <ann@a.test>")
    form = await site.form(link)
    site.office.desk.answer(asked.request.id, "ann@a.test", "approve")
    assert "has answered already" in (await site.ask("GET", link))[1]
    assert (await site.ask("POST", link, data=form, headers=OWN))[0] == 409


async def test_a_request_of_another_ledger(site: Site, tmp_path: Path):
    elsewhere = Office(tmp_path / "elsewhere").asked()
    assert (await site.ask("GET", site.link(elsewhere)))[0] == 404


FORGED = ["x", "a.b", "WyJyMSJd.AAAA", "%00", "..%2f..%2fhealth", "a" * 3000, "%F0%9F%92%A9.x", "x." + "A" * 43]


@pytest.mark.parametrize("token", FORGED)
async def test_a_forged_link_opens_nothing(site: Site, token: str):
    site.office.asked()
    for method in ("GET", "POST"):
        status, page, headers = await site.ask(method, f"/answer/{token}", headers=OWN)
        assert status in (403, 404)
        assert "triage" not in page
        assert "Set-Cookie" not in headers


async def test_a_link_of_another_key(site: Site):
    asked = site.office.asked()
    token = LinkSigner(b"o" * 32).sign(asked.request, "ann", "answer")
    assert (await site.ask("GET", f"/answer/{token}"))[0] == 403


async def test_every_route_but_health_needs_a_link(site: Site):
    resources = [
        (route.method, route.resource.canonical) for route in site.server.app.router.routes() if route.resource
    ]
    assert len(resources) == 5
    for method, path in resources:
        status, _, _ = await site.ask(method, path.replace("{token}", "no-link"), headers=OWN)
        assert status == (200 if path in OPEN_ROUTES else 403), (method, path)
    assert {"/health"} == OPEN_ROUTES


CROSS_SITE: list[dict[str, str]] = [
    {},
    {"Origin": "null"},
    {"Origin": "https://evil.example.com"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "null", "Sec-Fetch-Site": "none"},
    {"Origin": "null", "Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example.com", "Sec-Fetch-Site": "same-origin"},
    {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-origin"},
]


@pytest.mark.parametrize("headers", CROSS_SITE)
async def test_a_form_of_another_site_answers_nothing(site: Site, headers: dict[str, str]):
    asked = site.office.asked()
    link = site.link(asked)
    form = await site.form(link)
    assert (await site.ask("POST", link, data=form, headers=headers))[0] == 403
    assert site.state(asked) is ApprovalState.PENDING


async def test_an_origin_that_is_ours_will_do(site: Site):
    asked = site.office.asked()
    link = site.link(asked)
    headers = {"Origin": f"http://127.0.0.1:{site.server.port}"}
    assert (await site.ask("POST", link, data=await site.form(link), headers=headers))[0] == 303


async def test_without_the_form_that_this_browser_was_shown_nothing_is_answered(site: Site):
    asked = site.office.asked()
    link = site.link(asked)
    form = await site.form(link)
    for changed in ({"form_token": ""}, {"form_token": "x"}, {"form_token": form["form_token"][:-2] + "ö"}):
        assert (await site.ask("POST", link, data={**form, **changed}, headers=OWN))[0] == 403
    site.session.cookie_jar.clear()
    assert (await site.ask("POST", link, data=form, headers=OWN))[0] == 403
    cookie = {"Cookie": "flowyard_visit=" + "0" * 32}
    assert (await site.ask("POST", link, data=form, headers={**OWN, **cookie}))[0] == 403
    assert site.state(asked) is ApprovalState.PENDING


async def test_only_forms_of_a_reasonable_size_are_read(site: Site):
    asked = site.office.asked()
    link = site.link(asked)
    form = await site.form(link)
    assert (await site.ask("POST", link, json=form, headers=OWN))[0] == 403
    assert (await site.ask("POST", link, data={**form, "reason": "x" * 20_000}, headers=OWN))[0] == 413
    assert (await site.ask("POST", link, data={**form, "reason": "x" * 2001}, headers=OWN))[0] == 400
    assert (await site.ask("POST", link, data={**form, "decision": "maybe"}, headers=OWN))[0] == 400
    assert (await site.ask("POST", link, data={**form, "reason": " "}, headers=OWN))[0] == 400
    assert (await site.ask("PUT", link, data=form, headers=OWN))[0] == 405
    assert site.state(asked) is ApprovalState.PENDING


@pytest.mark.parametrize(
    "host",
    ["evil.example.com", "evil.example.com:{port}", "127.0.0.1", "localhost:1", "", "127.0.0.1.evil.test:{port}"],
)
async def test_a_foreign_name_shows_nothing(site: Site, host: str):
    asked = site.office.asked()
    link = site.link(asked)
    form = await site.form(link)
    headers = {**OWN, "Host": host.format(port=site.server.port)}
    for method in ("GET", "POST"):
        status, page, sent = await site.ask(method, link, headers=headers, data=form if method == "POST" else None)
        assert status == 421
        assert "triage" not in page
        assert "Set-Cookie" not in sent
    assert site.state(asked) is ApprovalState.PENDING


async def test_behind_a_public_name(site: Site):
    asked = site.office.asked()
    link = site.link(asked)
    server = await serve(site.office, site.complaints, "https://approvals.example.com")
    site.server, before = server, site.server
    try:
        for host in ("approvals.example.com", "Approvals.Example.com:443"):
            status, page, headers = await site.ask("GET", link, headers={"Host": host})
            assert status == 200
            assert "Secure" in headers["Set-Cookie"]
        assert (await site.ask("GET", link, headers={"Host": "approvals.example.com:8443"}))[0] == 421
        form_token = re.search(r'name="form_token" value="([^"]+)"', page)
        cookie = headers["Set-Cookie"].partition(";")[0]
        assert form_token
        sent = {"Host": "approvals.example.com", "Origin": "https://approvals.example.com", "Cookie": cookie}
        data = {"form_token": form_token[1], "decision": "approve", "reason": "good"}
        assert (await site.ask("POST", link, data=data, headers=sent))[0] == 303
    finally:
        await server.close()
        site.server = before


async def test_what_a_browser_is_told(site: Site):
    asked = site.office.asked()
    for path, status in ((site.link(asked), 200), ("/answer/x", 403), ("/nothing", 404)):
        found, _, headers = await site.ask("GET", path)
        assert found == status
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Server"] == "flowyard"
    _, _, headers = await site.ask("GET", site.link(asked))
    assert "Set-Cookie" not in headers or "SameSite=Strict" in headers["Set-Cookie"]


async def test_the_cookie_is_for_this_site_only(site: Site):
    _, _, headers = await site.ask("GET", site.link(site.office.asked()))
    assert "HttpOnly" in headers["Set-Cookie"]
    assert "SameSite=Strict" in headers["Set-Cookie"]
    assert "Path=/answer" in headers["Set-Cookie"]


HOSTILE = "</title></style><script>alert(1)</script><img src=x onerror=alert(1)>\"'{{7*7}}"


async def test_text_of_others_is_text(site: Site):
    subject = ApprovalSubject(HOSTILE, 3, "ab" * 32, HOSTILE, HOSTILE)
    report = {
        "metrics": {HOSTILE: HOSTILE, "m": {"value": HOSTILE}},
        "gates": [{"gate": HOSTILE, "verdict": HOSTILE, "reason": HOSTILE}],
        "serving": {"label": HOSTILE, "metrics": {HOSTILE: 1}},
        "links": [{"label": HOSTILE, "url": "https://example.com/?q=" + HOSTILE.replace(" ", "")}],
        "warnings": [HOSTILE],
    }
    asked = site.office.desk.request(subject, report, ApprovalPolicy(approvals=2), HOSTILE)
    site.office.desk.answer(asked.request.id, HOSTILE + "2", "approve", HOSTILE)
    _, page, _ = await site.ask("GET", site.link(asked, "x" + HOSTILE))
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("</style>") == 1
    assert "49" not in re.sub(r"#[0-9a-f]{6}|\d+px", "", page.partition("</head>")[2])


async def test_a_ledger_that_cannot_be_read_is_not_described_to_visitors(site: Site):
    asked = site.office.asked()
    link = site.link(asked)
    for file in site.office.folder.glob("*.db*"):
        file.write_bytes(b"no database" * 1000)
    status, page, _ = await site.ask("GET", link)
    assert status == 502
    assert str(site.office.folder) not in page
    assert len(site.complaints) == 1
    assert link.rpartition("/")[2] not in site.complaints.pop()
