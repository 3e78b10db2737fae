"""Notices by e-mail, through a real mail server on this machine."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult

from flowyard.errors import FlowyardError, OutsideError, UserError
from flowyard.notify import Link, Notice, open_notifier
from flowyard.notify.mail import MailNotifier
from flowyard.notify.patience import Patience

PASSWORD = "p@ss:w/rd-very-secret"
NOTICE = Notice(
    "Approval needed: tri\r\nBcc: evil@example.com\r\n\r\nage:4 für alle " + "x" * 300,
    "Ann asks <b>now</b>.\r\n.\r\nUntil 12:00 UTC.",
    (("accuracy", "0.917"), ("<script>alert(1)</script>", "\x1b[31mred\u202e")),
    (Link("Look and answer", 'https://approvals.example.com/answer/abc?x=1&y="2"'),),
)


@dataclass
class Mailbox:
    """What the server took, and what it says before it takes anything."""

    taken: list[Any] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.refusals:
            return self.refusals.pop(0)
        self.taken.append(envelope)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address.startswith("nobody@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    def login(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)

    def message(self) -> EmailMessage:
        found = message_from_bytes(self.taken[-1].content, policy=default)
        assert isinstance(found, EmailMessage)
        return found


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@asynccontextmanager
async def serving(mailbox: Mailbox, tls: ssl.SSLContext | None = None, **more: Any) -> AsyncIterator[int]:
    """The port of a mail server in the loop of the test."""

    def protocol() -> SMTP:
        made = SMTP(mailbox, hostname="localhost", loop=asyncio.get_running_loop(), **more)
        protocols.append(made)
        return made

    protocols: list[SMTP] = []
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]
    for each in protocols:
        if each.transport is not None:
            each.transport.close()


@pytest.fixture
async def plain_server(mailbox: Mailbox) -> AsyncIterator[str]:
    async with serving(mailbox) as port:
        yield f"smtp://127.0.0.1:{port}"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for this machine that is its own authority."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(here, critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    signed = made.sign(key, hashes.SHA256())
    file = tmp_path / "certificate.pem"
    plain = serialization.NoEncryption()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    file.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + text)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return file, context


def open_mail(url: str, target: str = "mailto:ann@example.com", **more: str) -> MailNotifier:
    environ = {"FLOWYARD_SMTP_URL": url, "FLOWYARD_SMTP_FROM": "Flow Yard <flowyard@example.org>", **more}
    found = open_notifier(target, environ)
    assert isinstance(found, MailNotifier)
    return replace(found, patience=Patience(sleep=no_pause))


async def no_pause(_seconds: float) -> None:
    pass


async def failure(found: MailNotifier) -> FlowyardError:
    with pytest.raises(FlowyardError) as raised:
        await found.send(NOTICE)
    assert PASSWORD not in f"{raised.value} {raised.value.hint} {found!r} {raised.value.__cause__!r}"
    return raised.value


async def test_a_message_has_text_and_html_and_no_header_of_others(mailbox: Mailbox, plain_server: str):
    await open_mail(plain_server).send(NOTICE)
    message = mailbox.message()
    assert mailbox.taken[0].rcpt_tos == ["ann@example.com"]
    assert mailbox.taken[0].mail_from == "flowyard@example.org"
    assert message["Bcc"] is None
    assert message["To"] == "ann@example.com"
    assert message["From"] == "Flow Yard <flowyard@example.org>"
    assert message["Subject"].startswith("Approval needed: tri Bcc: evil@example.com age:4 für alle xx")
    assert len(message["Subject"]) == 200
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@example.org>")
    text, page = (part.get_content() for part in message.iter_parts())
    assert "accuracy" in text
    assert "\x1b" not in text
    assert "https://approvals.example.com/answer/abc" in text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "&lt;b&gt;now" in page
    assert 'href="https://approvals.example.com/answer/abc?x=1&amp;y=&quot;2&quot;"' in page


async def test_what_may_pass_is_tried_again(mailbox: Mailbox, plain_server: str):
    mailbox.refusals = ["451 later", "452 full"]
    await open_mail(plain_server).send(NOTICE)
    assert len(mailbox.taken) == 1


async def test_a_refusal_is_not(mailbox: Mailbox, plain_server: str):
    mailbox.refusals = ["554 spam"]
    error = await failure(open_mail(plain_server))
    assert isinstance(error, UserError)
    assert "SMTP status 554" in error.message


async def test_a_receiver_that_is_not_known(plain_server: str):
    error = await failure(open_mail(plain_server, "mailto:nobody@example.com"))
    assert "refused the receiver of mailto:nobody@example.com (SMTP status 550)" in error.message


async def test_a_server_that_is_not_there():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, but it does not listen
        error = await failure(open_mail(f"smtp://127.0.0.1:{held.getsockname()[1]}"))
    assert isinstance(error, OutsideError)
    assert "The request stands" in (error.hint or "")


@pytest.mark.parametrize("password", [PASSWORD, "wrong-very-secret"])
async def test_starttls_then_a_password(
    mailbox: Mailbox, certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch, password: str
):
    file, context = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    quoted = password.replace("@", "%40").replace(":", "%3A").replace("/", "%2F")
    rules = {"require_starttls": True, "authenticator": mailbox.login, "auth_required": True}
    async with serving(mailbox, tls_context=context, **rules) as port:
        mail = open_mail(f"smtp://ann:{quoted}@127.0.0.1:{port}?starttls=always")
        if password == PASSWORD:
            await mail.send(NOTICE)
        else:
            assert "refused the user or the password (SMTP status 535)" in (await failure(mail)).message
    assert set(mailbox.logins) == {(b"ann", password.encode())}
    assert len(mailbox.taken) == (password == PASSWORD)


async def test_a_password_that_mail_cannot_carry_is_not_shown(
    mailbox: Mailbox, certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
):
    file, context = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with serving(mailbox, tls_context=context, authenticator=mailbox.login) as port:
        mail = open_mail(f"smtp://ann:very-s%C3%A9cret@127.0.0.1:{port}?starttls=always")
        error = await failure(mail)
    assert isinstance(error, UserError)
    assert "cret" not in f"{error} {error.hint} {error.__cause__!r}"


async def test_a_server_without_starttls_gets_nothing(mailbox: Mailbox, plain_server: str):
    error = await failure(open_mail(f"{plain_server}?starttls=always"))
    assert "STARTTLS" in error.message
    assert mailbox.taken == []


@pytest.mark.parametrize("is_known", [True, False])
async def test_tls_from_the_first_byte(
    mailbox: Mailbox, certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch, is_known: bool
):
    file, context = certificate
    if is_known:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with serving(mailbox, context) as port:
        mail = open_mail(f"smtps://127.0.0.1:{port}")
        if is_known:
            await mail.send(NOTICE)
        else:
            assert "did not prove who it is" in (await failure(mail)).message
    assert len(mailbox.taken) == is_known


@pytest.mark.parametrize(
    "address",
    ["", "ann", "ann@", "@example.com", "a@b.test, c@d.test", "a@b.test\r\nBcc: c@d.test", "a b@c.test", "a@b@c.test"],
)
def test_what_is_no_address_is_refused(address: str):
    with pytest.raises(UserError, match="no e-mail address"):
        open_mail("smtp://127.0.0.1", f"mailto:{address}")


@pytest.mark.parametrize("url", [f"http://a:{PASSWORD}@h", "smtp://", "smtp://h:99999", f"smtp:{PASSWORD}"])
def test_an_address_of_a_server_that_is_none_is_not_shown(url: str):
    with pytest.raises(UserError, match="FLOWYARD_SMTP_URL is no address") as raised:
        open_mail(url)
    assert PASSWORD not in f"{raised.value} {raised.value.hint}"


def test_no_password_goes_over_the_network_in_clear():
    with pytest.raises(UserError, match="in clear"):
        open_mail("smtp://ann:secret@mail.example.com?starttls=never")


def test_elsewhere_starttls_is_what_holds():
    assert open_mail("smtp://mail.example.com").server.tls == "starttls"
    assert open_mail("smtp://mail.example.com").server.port == 587
    assert open_mail("smtps://mail.example.com").server.port == 465


def test_a_missing_variable_is_named():
    with pytest.raises(UserError, match="FLOWYARD_SMTP_URL is not set"):
        open_notifier("mailto:ann@example.com", {})
    with pytest.raises(UserError, match="FLOWYARD_SMTP_FROM is not set"):
        open_notifier("mailto:ann@example.com", {"FLOWYARD_SMTP_URL": "smtp://h"})
