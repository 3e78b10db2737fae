"""The server that takes our e-mail, from FLOWYARD_SMTP_URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from flowyard._util.addresses import parse_address
from flowyard.errors import UserError

__all__ = ["URL_VARIABLE", "MailServer", "read_mail_server"]

URL_VARIABLE = "FLOWYARD_SMTP_URL"

_EXAMPLE = f"export {URL_VARIABLE}=smtp://user:password@mail.example.com:587"
_PORTS = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where and how. ``tls`` is ``always`` (from the first byte), ``starttls`` (after a greeting) or ``never``."""

    host: str
    port: int
    tls: str
    user: str = ""
    password: str = field(default="", repr=False)


def read_mail_server(environ: Mapping[str, str]) -> MailServer:
    """The server of ``smtp://user:password@host:587`` or ``smtps://…``. Raises UserError, which never shows the URL.

    With ``smtp`` the connection is encrypted before anything is sent, by STARTTLS. Only ``?starttls=never`` leaves that
    out, which is also the default on this machine; then no password is sent to another one.
    """
    text = environ.get(URL_VARIABLE, "").strip()
    if not text:
        raise UserError(f"E-mail needs a server, and {URL_VARIABLE} is not set.", hint=_EXAMPLE)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in _PORTS:
        raise UserError(f"{URL_VARIABLE} is no address of a mail server.", hint=_EXAMPLE)
    tls = "always" if parts.scheme == "smtps" else _starttls(parts, host)
    if tls == "never" and parts.password and not _is_here(host):
        raise UserError(
            f"{URL_VARIABLE} would send a password to {host} in clear.",
            hint="Leave out starttls=never, or use smtps://",
        )
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return MailServer(host, port or _PORTS[parts.scheme], tls, user, password)


def _starttls(parts: SplitResult, host: str) -> str:
    default = "never" if _is_here(host) else "always"
    wanted = parse_qs(parts.query).get("starttls", [default])[-1]
    if wanted not in ("always", "never"):
        raise UserError(f"{URL_VARIABLE}: starttls is always or never, not {wanted!r}.")
    return "starttls" if wanted == "always" else "never"


def _is_here(host: str) -> bool:
    address = parse_address(host)
    return host == "localhost" or (address is not None and address.is_loopback)
