"""What the pages have in common: how templates are read, and a policy that lets nothing in but what is ours."""

from __future__ import annotations

import base64
import hashlib

from jinja2 import Environment, PackageLoader, StrictUndefined

from flowyard._util.numbers import percent_text
from flowyard.reports.values import metric_text, ms_text, plural, seconds_text
from flowyard.runs.cost_text import usd_text

__all__ = ["content_policy", "page_environment", "read_asset", "valid_text"]


def page_environment() -> Environment:
    """The templates; all text in them is escaped, and a name that is not there is an error."""
    environment = Environment(
        loader=PackageLoader("flowyard.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent_text,
        "metric": metric_text,
        "ms": ms_text,
        "seconds": seconds_text,
        "usd": usd_text,
    }
    environment.globals |= {"plural": plural, "moment": _moment}
    return environment


def read_asset(environment: Environment, name: str) -> str:
    """A style sheet or a script as it is."""
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def content_policy(style: str, script: str) -> str:
    """Only this page's own style sheet and script, no request of any kind, and no text that is turned into markup."""
    allowed = f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    sealed = "require-trusted-types-for 'script'; trusted-types 'none'"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'; {sealed}"


def valid_text(page: str) -> str:
    """The page with what UTF-8 cannot hold as escapes."""
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _moment(timestamp: str) -> str:
    """``2025-03-01T10:20:30.5+00:00`` as ``2025-03-01 10:20``; all times are UTC."""
    return f"{timestamp[:10]} {timestamp[11:16]}" if timestamp[10:11] == "T" else timestamp
