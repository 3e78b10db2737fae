"""The ways to people that a policy names: ``mailto:ADDRESS``, or ``slack:``, ``teams:`` or ``webhook:VARIABLE``.

The variable holds the URL of the webhook, because whoever knows such a URL may write there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

from flowyard._util.suggest import did_you_mean
from flowyard.abc import Notifier
from flowyard.errors import UserError
from flowyard.notify.plain_json import json_message
from flowyard.notify.slack import slack_message
from flowyard.notify.teams import teams_message

__all__ = ["KINDS", "check_target", "open_notifier", "open_notifiers"]

KINDS = ("mailto", "slack", "teams", "webhook")

_COMPOSE = {"slack": slack_message, "teams": teams_message, "webhook": json_message}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def open_notifiers(targets: Iterable[str], environ: Mapping[str, str]) -> list[Notifier]:
    """A notifier for each target, in order. Raises UserError for the first that cannot be used; nothing is sent."""
    return [open_notifier(target, environ) for target in targets]


def open_notifier(target: str, environ: Mapping[str, str]) -> Notifier:
    """The notifier of one target. Raises UserError for a malformed target and for what is missing in ``environ``."""
    check_target(target)
    kind, _, rest = target.partition(":")
    return _mail(target, unquote(rest), environ) if kind == "mailto" else _webhook(target, kind, rest, environ)


def check_target(target: str, where: str | None = None) -> None:
    """Raises UserError unless a target is well formed; whether its variables are set is not looked at."""
    kind, colon, rest = target.partition(":")
    if kind not in KINDS or not colon:
        hint = did_you_mean(kind, KINDS) or f"It begins with one of: {', '.join(f'{each}:' for each in KINDS)}"
        raise UserError(f"{_shown(target)} is no way to notify people.", hint=hint, where=where)
    if kind != "mailto" and not _VARIABLE.fullmatch(rest):
        hint = f"Put the URL into a variable, and write {kind}:NAME_OF_THE_VARIABLE."
        raise UserError(f"{kind}: takes the name of a variable; the URL is a secret.", hint=hint, where=where)
    if kind == "mailto":
        from flowyard.notify.mail import parse_mail_address  # noqa: PLC0415 - brings all of e-mail

        parse_mail_address(unquote(rest), where or "mailto")


def _shown(target: str) -> str:
    """A target whose form is wrong, without what may be a secret."""
    return repr(target) if re.fullmatch(r"[\w@.-]{1,40}(:[\w@.-]{0,40})?", target) else "A target"


def _mail(target: str, address: str, environ: Mapping[str, str]) -> Notifier:
    from flowyard.notify.mail import MailNotifier, parse_mail_address  # noqa: PLC0415 - brings all of e-mail
    from flowyard.notify.mail_server import read_mail_server  # noqa: PLC0415 - the same

    server = read_mail_server(environ)
    sender = environ.get("FLOWYARD_SMTP_FROM", "").strip()
    if not sender:
        hint = "export FLOWYARD_SMTP_FROM='flowyard <flowyard@example.com>'"
        raise UserError("E-mail needs a sender, and FLOWYARD_SMTP_FROM is not set.", hint=hint)
    receiver = parse_mail_address(address, "mailto")
    return MailNotifier(target, receiver.addr_spec, parse_mail_address(sender, "FLOWYARD_SMTP_FROM"), receiver, server)


def _webhook(target: str, kind: str, variable: str, environ: Mapping[str, str]) -> Notifier:
    from flowyard.notify.webhook import HOSTS_VARIABLE, WebhookNotifier  # noqa: PLC0415 - brings aiohttp

    url = environ.get(variable, "").strip()
    if not url:
        raise UserError(f"{target}: the variable {variable} is not set.", hint=f"export {variable}=https://…")
    hosts = frozenset(filter(None, re.split(r"[,\s]+", environ.get(HOSTS_VARIABLE, ""))))
    key = environ.get("FLOWYARD_WEBHOOK_SECRET", "") if kind == "webhook" else ""
    return WebhookNotifier(target, url, _COMPOSE[kind], hosts, key)
