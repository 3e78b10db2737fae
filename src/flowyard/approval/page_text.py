"""The approval's page as HTML: no script, one style sheet that its policy knows by hash, everything else escaped."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

from flowyard import __version__
from flowyard._util.moments import moment_text
from flowyard.approval.facts import read_facts
from flowyard.approval.links import LinkClaim
from flowyard.approval.model import Approval
from flowyard.approval.notes import parse_time
from flowyard.approval.standing import Standing
from flowyard.reports.page import page_environment, read_asset, valid_text

__all__ = ["Page", "message_page", "request_page"]

LONGEST_REASON = 2000


@dataclass(frozen=True, slots=True)
class Page:
    """``policy`` is the page's Content-Security-Policy."""

    html: str
    policy: str


def request_page(claim: LinkClaim, approval: Approval, standing: Standing, now: datetime, form_token: str) -> Page:
    """What is asked and what it is answered on, with a form while the link answers."""
    request = approval.request
    left_s = max(0, int((parse_time(request.expires_at) - now).total_seconds()))
    return _rendered(
        "request.html.j2",
        _countdown(left_s),
        claim=claim,
        request=request,
        approval=approval,
        standing=standing,
        facts=read_facts(request.report),
        form_token=form_token,
        minutes=left_s // 60,
        until=moment_text(request.expires_at),
        asked=moment_text(request.requested_at),
        longest_reason=LONGEST_REASON,
    )


def message_page(title: str, text: str) -> Page:
    """A page that says one thing."""
    return _rendered("message.html.j2", "", title=title, text=text)


def _rendered(template: str, more_style: str, **values: object) -> Page:
    environment = _environment()
    style = read_asset(page_environment(), "index.css") + read_asset(environment, "approval.css") + more_style
    html = environment.get_template(template).render(style=style, version=__version__, **values)
    return Page(valid_text(html), _policy(style))


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("flowyard.approval"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _countdown(left_s: int) -> str:
    """Counts whole minutes down in the style sheet, because the page has no script."""
    minutes, rest_s = divmod(left_s, 60)
    if not minutes:
        return ""
    return (
        f"\n.left {{ --minutes: {minutes}; "
        f"animation: left {minutes * 60}s steps({minutes}, start) {rest_s}s forwards; }}\n"
        f"@keyframes left {{ from {{ --minutes: {minutes}; }} to {{ --minutes: 0; }} }}\n"
    )


def _policy(style: str) -> str:
    own = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{own}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
