"""A notice as an e-mail: text, and the same as HTML."""

from __future__ import annotations

from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from html import escape

from flowyard.notify.model import Link, Notice
from flowyard.notify.plain import one_line, plain_text

__all__ = ["mail_message"]

_SUBJECT = 200
_TEXT = 10_000
_VALUE = 1_000
_MOST_ROWS = 500

_PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"></head>
<body style="font: 15px/1.5 system-ui, sans-serif; max-width: 640px">
<h1 style="font-size: 20px">{title}</h1>
{text}
<table style="border-collapse: collapse">{rows}</table>
{links}
</body></html>
"""
_ROW = (
    '<tr><th style="text-align: left; vertical-align: top; padding: 4px 16px 4px 0; font-weight: 600">{}</th>'
    '<td style="padding: 4px 0">{}</td></tr>'
)
_LINK = (
    '<p><a href="{}" style="display: inline-block; padding: 8px 16px; border: 1px solid #1f5f99; '
    'border-radius: 8px; text-decoration: none">{}</a></p>'
)


def mail_message(notice: Notice, sender: Address, receiver: Address) -> EmailMessage:
    """The message. Nothing in the notice can add a header, because headers are one line without control characters."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = receiver
    message["Subject"] = one_line(notice.title, _SUBJECT)
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=sender.domain)  # without a domain, this machine's name would be sent
    message["Auto-Submitted"] = "auto-generated"
    rows = [(one_line(name, _VALUE), one_line(value, _VALUE)) for name, value in list(notice.rows)[:_MOST_ROWS]]
    message.set_content(_valid(_text(notice, rows)), cte="base64")
    message.add_alternative(_valid(_html(notice, rows)), subtype="html", cte="base64")
    return message


def _text(notice: Notice, rows: list[tuple[str, str]]) -> str:
    width = min(40, max((len(name) for name, _ in rows), default=0))
    parts = [plain_text(notice.text, _TEXT), "\n".join(f"{name:{width}}  {value}" for name, value in rows)]
    parts += [f"{one_line(link.label, _VALUE)}:\n{link.url}" for link in notice.links]
    return "\n\n".join(part for part in parts if part) + "\n"


def _html(notice: Notice, rows: list[tuple[str, str]]) -> str:
    text = "".join(f"<p>{escape(line)}</p>" for line in plain_text(notice.text, _TEXT).splitlines() if line)
    return _PAGE.format(
        title=escape(one_line(notice.title, _SUBJECT)),
        text=text,
        rows="".join(_ROW.format(escape(name), escape(value)) for name, value in rows),
        links="".join(map(_link, notice.links)),
    )


def _link(link: Link) -> str:
    return _LINK.format(escape(link.url), escape(one_line(link.label, _VALUE)))


def _valid(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
