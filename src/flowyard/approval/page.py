"""The page behind a link: one person looks at a request and answers it with a button.

A link is the only credential. GET and HEAD never change anything, because mail scanners follow links; the answer is a
POST that has to come from the form, in the browser that was shown the form. Nothing about a visit is stored here, so a
server that was restarted goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import cast

from aiohttp import web

from flowyard.approval.desk import ApprovalDesk
from flowyard.approval.links import LinkClaim, LinkSigner
from flowyard.approval.model import Approval, Decision
from flowyard.approval.page_guard import HEADERS, PageAddress, give_visit, is_own_form, visit_of
from flowyard.approval.page_text import LONGEST_REASON, Page, message_page, request_page
from flowyard.approval.standing import link_standing
from flowyard.errors import Conflict, FlowyardError, NotFound, UserError

__all__ = ["OPEN_ROUTES", "make_approval_app"]

OPEN_ROUTES = frozenset({"/health"})
"""Routes that need no link."""

_LARGEST_BODY = 16 * 1024
_FORM = "application/x-www-form-urlencoded"

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_approval_app(
    desk: ApprovalDesk, signer: LinkSigner, address: PageAddress, complain: Callable[[str], None]
) -> web.Application:
    """``/answer/TOKEN`` and ``/health``. ``complain`` gets what the person who runs the server has to know."""
    app = web.Application(client_max_size=_LARGEST_BODY, middlewares=[_guard])
    app[_ADDRESS], app[_COMPLAIN] = address, complain
    app.on_response_prepare.append(_mark)
    desk_page = _DeskPage(desk, signer)
    app.router.add_get("/health", _health)
    app.router.add_get("/answer/{token}", desk_page.show)
    app.router.add_post("/answer/{token}", desk_page.take)
    return app


_ADDRESS = web.AppKey("address", PageAddress)
_COMPLAIN: web.AppKey[Callable[[str], None]] = web.AppKey("complain")


class _DeskPage:
    """The handlers and what they share."""

    def __init__(self, desk: ApprovalDesk, signer: LinkSigner) -> None:
        self._desk = desk
        self._signer = signer

    async def show(self, request: web.Request) -> web.StreamResponse:
        """The page of a link. It changes nothing."""
        claim = self._claim(request)
        approval = await self._approval(claim)
        now = self._desk.clock()
        standing = link_standing(claim, approval, now)
        response = web.Response()
        visit = give_visit(response, visit_of(request), _origin(request))
        form_token = self._signer.form_token(claim, visit) if standing.is_open else ""
        return _filled(response, request_page(claim, approval, standing, now, form_token))

    async def take(self, request: web.Request) -> web.StreamResponse:
        """An answer, then the page again."""
        claim = self._claim(request)
        if not is_own_form(request, _origin(request)) or request.content_type != _FORM:
            return _message(403, "Not answered", "The answer did not come from this page. Open the link and try again.")
        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        visit = visit_of(request)
        if visit is None or not self._signer.is_form_token(claim, visit, form.get("form_token", "")):
            text = "The form was not shown in this browser, or cookies are off. Open the link again, and answer there."
            return _message(403, "Not answered", text)
        standing = link_standing(claim, await self._approval(claim), self._desk.clock())
        if not standing.is_open:
            return _message(standing.status, "Not answered", standing.says or "")
        await asyncio.to_thread(self._answer, claim, form)
        return web.Response(status=303, headers={"Location": request.path})

    def _answer(self, claim: LinkClaim, form: Mapping[str, str]) -> None:
        decision, reason = form.get("decision"), form.get("reason", "").replace("\r\n", "\n")
        if decision not in ("approve", "reject"):
            raise UserError("The form says neither yes nor no.")
        if not reason.strip():
            raise UserError("An answer has a reason, for everyone who looks later.")
        if len(reason) > LONGEST_REASON:
            raise UserError(f"A reason has at most {LONGEST_REASON:,} characters.")
        said_by = claim.approver or form.get("name", "")
        evidence = {"link": claim.id, **({} if claim.approver else {"name": "given by the person who answered"})}
        self._desk.answer(claim.request, said_by, cast(Decision, decision), reason, via="link", evidence=evidence)

    def _claim(self, request: web.Request) -> LinkClaim:
        claim = self._signer.read(request.match_info["token"])
        if claim is None:
            raise _Forged
        return claim

    async def _approval(self, claim: LinkClaim) -> Approval:
        return await asyncio.to_thread(self._desk.get, claim.request)


class _Forged(Exception):
    """The link was not made here."""


async def _health(_request: web.Request) -> web.StreamResponse:
    """Alive; it says nothing else."""
    return web.json_response({"status": "Healthy"})


@web.middleware
async def _guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Lets nothing in under a foreign name, and turns every error into a page that tells no secrets."""
    if request.path in OPEN_ROUTES and request.method in ("GET", "HEAD"):
        return await handler(request)
    if request.app[_ADDRESS].origin(request) is None:
        return _message(421, "Not here", "This page is not served under the name that was asked for.")
    try:
        return await handler(request)
    except Exception as error:
        return _error_page(error, request.app[_COMPLAIN])


def _error_page(error: Exception, complain: Callable[[str], None]) -> web.Response:
    """What a person may know of an error; what the one who runs the server has to know goes to ``complain``."""
    if isinstance(error, web.HTTPException):
        return _message(error.status, error.reason, "There is nothing else to see here.")
    for kind, status, title, text in _ERRORS:
        if isinstance(error, kind):
            return _message(status, title, text or str(error))
    if isinstance(error, FlowyardError):
        complain(str(error))
        text = "Something that this needs cannot be reached. Open the link again later to see what was answered."
        return _message(502, "Not now", text)
    complain(f"This is a bug of flowyard: {type(error).__name__}")
    return _message(500, "Our mistake", "Something went wrong. Open the link again to see what was answered.")


_ERRORS: tuple[tuple[type[Exception], int, str, str], ...] = (
    (_Forged, 403, "Not a valid link", "This link is not valid. Was it copied as a whole? If so, ask for a new one."),
    (NotFound, 404, "No such request", "The request of this link is not in the ledger that is asked here."),
    (Conflict, 409, "Not answered", ""),
    (UserError, 400, "Not answered", ""),
)
"""Errors that are shown as they are, or as the text that stands here."""


async def _mark(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
    response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")


def _origin(request: web.Request) -> str:
    origin = request.app[_ADDRESS].origin(request)
    assert origin is not None  # the guard has looked
    return origin


def _message(status: int, title: str, text: str) -> web.Response:
    return _filled(web.Response(status=status), message_page(title, text))


def _filled(response: web.Response, page: Page) -> web.Response:
    response.content_type, response.charset = "text/html", "utf-8"
    response.text = page.html
    response.headers["Content-Security-Policy"] = page.policy
    return response
