"""Backends over TLS: a certificate that is trusted is used, and what is wrong with another one is said."""

from __future__ import annotations

import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from functional_helper import quick_flowyard
from gateway_helper import behind, gateway

_USES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)
_SIGNS = {"digital_signature": True, "key_cert_sign": True}


def certificate(file: Path, name: str = "127.0.0.1", *, ended: bool = False) -> Path:
    """A certificate that signs itself, with its key, for an address or a name."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, file.stem)])
    place = x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=-2 if ended else 2))
        .add_extension(x509.SubjectAlternativeName([place]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.KeyUsage(**dict.fromkeys(_USES, False) | _SIGNS), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: list[str]

    def do_POST(self) -> None:
        self.asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        return


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that does not trust the certificate goes away in the middle."""


@contextmanager
def behind_tls(file: Path) -> Iterator[tuple[str, list[str]]]:
    """A server with that certificate: its URL, and the bodies that came."""
    asked: list[str] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with Server(("127.0.0.1", 0), type("Own", (Answers,), {"asked": asked})) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()


def test_a_backend_with_a_trusted_certificate_is_asked(tmp_path: Path):
    trusted = certificate(tmp_path / "trusted.pem")
    with behind_tls(trusted) as (url, asked):
        backends = {"a": {"url": url, "weight": 1}}
        with gateway(tmp_path, {}, {"SSL_CERT_FILE": str(trusted)}, backends=backends) as gate:
            assert [gate.ask(body=f"[{number}]".encode()).status for number in range(3)] == [200] * 3
            assert gate.state()["backends"]["a"]["last_failure"] == ""
            gate.stop()
    assert asked == ["[0]", "[1]", "[2]"]


def test_what_is_wrong_with_a_certificate_is_said_and_nothing_is_sent(tmp_path: Path):
    trusted = certificate(tmp_path / "trusted.pem")
    other, ended = certificate(tmp_path / "other.pem"), certificate(tmp_path / "ended.pem", ended=True)
    elsewhere = certificate(tmp_path / "elsewhere.pem", "shop.example")
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(trusted.read_bytes() + ended.read_bytes() + elsewhere.read_bytes())
    with (
        behind_tls(other) as first,
        behind_tls(ended) as second,
        behind_tls(elsewhere) as third,
        behind("a") as (plain,),
    ):
        urls = {"unknown": first[0], "ended": second[0], "elsewhere": third[0]}
        urls["plain"] = plain.url.replace("http:", "https:")
        backends = {name: {"url": url, "weight": 1} for name, url in urls.items()}
        with gateway(tmp_path, {}, {"SSL_CERT_FILE": str(bundle)}, backends=backends, retries=3) as gate:
            answer = gate.ask()
            assert answer.status == 503
            assert b"No backend can answer now." in answer.body
            said = {name: each["last_failure"] for name, each in gate.state()["backends"].items()}
            assert "self-signed certificate" in said["unknown"].replace("self signed", "self-signed")
            assert "certificate has expired" in said["ended"]
            assert "IP address mismatch" in said["elsewhere"]
            assert "No connection" in said["plain"], "nor without TLS"
            shown = quick_flowyard("gateway", "status", "--config", gate.config, cwd=tmp_path, env=gate.env)
            assert "last failure: No connection: " in shown.stdout
            gate.stop()
    assert first[1] == second[1] == third[1] == plain.asked == []
