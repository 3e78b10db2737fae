"""Who asks MLflow: the variables that MLflow documents, and a token of Azure for a workspace of Azure ML."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flowyard.azure.login import LoginSearch
from flowyard.errors import ExtraMissing, UserError

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["MlflowLogin", "TokenSource", "open_login"]

TokenSource = Callable[[], tuple[str, float]]
"""Gives a bearer token and the time, in seconds since 1970, at which it ends."""

_AZURE_HOSTS = (".azureml.ms", ".azureml.net", ".ml.azure.com")
_AZURE_SCOPE = "https://management.azure.com/.default"
_EARLY_S = 300.0
_HINT = "Set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD."
_AZURE_HINT = (
    "Sign in with 'az login', or give the identity a role in the workspace; MLFLOW_TRACKING_TOKEN overrules it."
)
_TRUE = frozenset({"1", "true", "yes", "on"})


class MlflowLogin:
    """The headers and the TLS of requests. ``token`` is asked again five minutes before what it gave ends."""

    def __init__(
        self,
        *,
        header: str | None = None,
        secrets: tuple[str, ...] = (),
        token: TokenSource | None = None,
        insecure: bool = False,
        certificates: str | None = None,
        hint: str = _HINT,
    ) -> None:
        self._header = header
        self._secrets = secrets
        self._token = token
        self._insecure = insecure
        self._certificates = certificates
        self._kept: tuple[str, float] = ("", 0.0)
        self._lock = threading.Lock()
        self.hint = hint

    def headers(self) -> dict[str, str]:
        """What goes with every request."""
        if self._token is not None:
            return {"Authorization": f"Bearer {self._fresh(self._token)}"}
        return {"Authorization": self._header} if self._header else {}

    def secrets(self) -> tuple[str, ...]:
        """What no message may repeat."""
        return (*self._secrets, self._kept[0]) if self._kept[0] else self._secrets

    def tls(self) -> SSLContext:
        """How the server's certificate is checked. Raises UserError when the named certificates cannot be read."""
        import ssl  # noqa: PLC0415 - heavy, and needed by such a registry only

        try:
            context = ssl.create_default_context(cafile=self._certificates)
        except OSError as error:
            raise UserError(f"MLFLOW_TRACKING_SERVER_CERT_PATH cannot be read: {error}.") from None
        if self._insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _fresh(self, token: TokenSource) -> str:
        with self._lock:
            if time.time() > self._kept[1] - _EARLY_S:
                self._kept = token()
            return self._kept[0]


def open_login(url: str, environ: Mapping[str, str]) -> MlflowLogin:
    """The login that the environment gives for an address: user and password, else a token, else Azure's, else none.

    Raises UserError for half of a pair, or what cannot be sent.
    """
    user, password = environ.get("MLFLOW_TRACKING_USERNAME"), environ.get("MLFLOW_TRACKING_PASSWORD")
    token = (environ.get("MLFLOW_TRACKING_TOKEN") or "").strip()
    insecure = environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").strip().lower() in _TRUE
    certificates = environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or None
    if bool(user) != bool(password):
        raise UserError("MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD go together.", hint="Set both.")
    if insecure and certificates:
        raise UserError("MLFLOW_TRACKING_INSECURE_TLS and MLFLOW_TRACKING_SERVER_CERT_PATH exclude each other.")
    if not token.isascii() or not token.isprintable():
        raise UserError("MLFLOW_TRACKING_TOKEN has characters that no token has.")
    if user and password:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        return MlflowLogin(
            header=f"Basic {pair}", secrets=(password, pair), insecure=insecure, certificates=certificates
        )
    if token:
        return MlflowLogin(header=f"Bearer {token}", secrets=(token,), insecure=insecure, certificates=certificates)
    if (urlsplit(url).hostname or "").endswith(_AZURE_HOSTS):
        return MlflowLogin(
            token=partial(_azure_token, environ), hint=_AZURE_HINT, insecure=insecure, certificates=certificates
        )
    return MlflowLogin(insecure=insecure, certificates=certificates)


def _azure_token(environ: Mapping[str, str]) -> tuple[str, float]:
    """A token of whoever is signed in to Azure here."""
    try:
        given = LoginSearch(environ).get_token(_AZURE_SCOPE)
    except ExtraMissing:
        raise ExtraMissing(
            "A workspace of Azure ML needs azure-identity, or a token.",
            hint="Run: pip install 'flowyard[azure]'; or set MLFLOW_TRACKING_TOKEN.",
        ) from None
    return str(given.token), float(given.expires_on)
