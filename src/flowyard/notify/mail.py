"""Notices by e-mail."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage

from flowyard.abc import Notifier
from flowyard.errors import FlowyardError, OutsideError, UserError
from flowyard.notify.mail_message import mail_message
from flowyard.notify.mail_server import URL_VARIABLE, MailServer
from flowyard.notify.model import Notice
from flowyard.notify.patience import Patience, TryAgain, try_patiently

__all__ = ["MailNotifier", "parse_mail_address"]


@dataclass(frozen=True, slots=True)
class MailNotifier(Notifier):
    """Sends to one person through one server."""

    label: str
    person: str
    sender: Address
    receiver: Address
    server: MailServer
    patience: Patience = Patience()

    async def send(self, notice: Notice) -> None:
        message = mail_message(notice, self.sender, self.receiver)
        await try_patiently(self.patience, lambda: asyncio.to_thread(self._attempt, message))

    def _attempt(self, message: EmailMessage) -> None:
        try:
            with self._connected() as smtp:
                if self.server.user:
                    smtp.login(self.server.user, self.server.password)
                smtp.send_message(message)
        except ssl.SSLError as error:
            hint = "Its certificate has to be for its name and from an authority that this machine knows."
            raise UserError(f"{self._said} did not prove who it is: {_reason(error)}.", hint=hint) from None
        except smtplib.SMTPAuthenticationError as error:
            hint = f"Check user and password in {URL_VARIABLE}."
            raise self._failed(error.smtp_code, "refused the user or the password", hint) from None
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            raise self._failed(code, f"refused the receiver of {self.label}", "Check the address.") from None
        except smtplib.SMTPResponseException as error:
            raise self._failed(error.smtp_code, "refused the message", "Check FLOWYARD_SMTP_FROM.") from None
        except smtplib.SMTPNotSupportedError:
            raise UserError(f"{self._said} lacks what this message needs, such as STARTTLS or UTF-8 names.") from None
        except ValueError:  # its text has what could not be sent, which may be the password
            hint = f"User and password in {URL_VARIABLE} are ASCII, and the host is a name or an address."
            raise UserError(f"{self._said} cannot be spoken to as its variables are.", hint=hint) from None
        except (smtplib.SMTPException, OSError) as error:
            reason = OutsideError(f"{self._said} cannot be reached ({type(error).__name__}).", hint=_LATER)
            raise TryAgain(reason) from None

    def _connected(self) -> smtplib.SMTP:
        server, timeout = self.server, self.patience.timeout_s
        # Without a name, smtplib looks this machine's own up, which may take long, and tells it to the server.
        name = self.sender.domain if self.sender.domain.isascii() else "localhost"
        if server.tls == "always":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(server.host, server.port, name, timeout=timeout, context=context)
        smtp = smtplib.SMTP(server.host, server.port, name, timeout=timeout)
        try:
            if server.tls == "starttls":
                smtp.starttls(context=ssl.create_default_context())
        except BaseException:
            smtp.close()
            raise
        return smtp

    @property
    def _said(self) -> str:
        return f"The mail server {self.server.host}:{self.server.port}"

    def _failed(self, status: int, what: str, hint: str) -> FlowyardError | TryAgain:
        message = f"{self._said} {what} (SMTP status {status})."
        return TryAgain(OutsideError(message, hint=_LATER)) if 400 <= status < 500 else UserError(message, hint=hint)


_LATER = "The request stands; people can answer it all the same."


def parse_mail_address(text: str, source: str) -> Address:
    """One address, ``person@example.com`` or ``Name <person@example.com>``. Raises UserError, naming ``source``."""
    name, bracket, rest = text.strip().rpartition("<")
    spec = rest.removesuffix(">") if bracket else text.strip()
    try:
        if not spec.isprintable() or not name.isprintable() or "," in spec or " " in spec:
            raise ValueError
        address = Address(display_name=name.strip().strip('"'), addr_spec=spec)
    except (ValueError, IndexError, HeaderParseError):
        address = None
    if address is None or not address.username or not address.domain:
        raise UserError(f"{source}: {text!r} is no e-mail address.")
    return address


def _reason(error: ssl.SSLError) -> str:
    return error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else "the TLS handshake failed"
