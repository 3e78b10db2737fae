"""Tokens that a CI system gives its jobs, with which a job proves to Azure who it is, without a secret.

Each is fetched anew for each login, since it holds for some minutes only. The address comes from the environment and
gets the job's own token, so it has to be https, and a redirect is not followed.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from flowyard.azure.errors import AzureDenied, plain_reason
from flowyard.azure.session import trusted_certificates

__all__ = ["devops_assertion", "github_assertion"]

_AUDIENCE = "api://AzureADTokenExchange"
_DEVOPS_VERSION = "7.1"
_TIMEOUT_S = 30.0
_MOST_BYTES = 64 << 10
_MAY_PASS = frozenset({429, 500, 502, 503, 504})


def github_assertion(environ: Mapping[str, str], sleep: Callable[[float], None] = time.sleep) -> str:
    """The identity token of a GitHub Actions job that has ``permissions: id-token: write``. Raises AzureDenied."""
    url = _with_query(environ["ACTIONS_ID_TOKEN_REQUEST_URL"], audience=_AUDIENCE)
    request = _request("GET", url, environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"], "GitHub")
    return _asked(request, "value", "GitHub", environ, sleep)


def devops_assertion(environ: Mapping[str, str], sleep: Callable[[float], None] = time.sleep) -> str:
    """The identity token of an Azure DevOps job for its service connection. Raises AzureDenied."""
    url = _with_query(
        environ["SYSTEM_OIDCREQUESTURI"],
        **{"api-version": _DEVOPS_VERSION, "serviceConnectionId": environ["AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"]},
    )
    request = _request("POST", url, environ["SYSTEM_ACCESSTOKEN"], "Azure DevOps")
    request.add_header("Content-Type", "application/json")
    request.add_header("X-TFS-FedAuthRedirect", "Suppress")  # else a refusal is a page to log in at
    return _asked(request, "oidcToken", "Azure DevOps", environ, sleep)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - the token stays where it is meant for
        return None


def _with_query(url: str, **values: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode([*parse_qsl(parts.query), *values.items()])))


def _request(method: str, url: str, token: str, issuer: str) -> urllib.request.Request:
    if urlsplit(url).scheme != "https":
        raise AzureDenied(
            f"{issuer}'s address for identity tokens is not https.", hint="The job's token is sent there."
        )
    headers = {"Accept": "application/json", "Authorization": f"Bearer {token}"}
    return urllib.request.Request(url, method=method, headers=headers, data=b"" if method == "POST" else None)  # noqa: S310


def _asked(
    request: urllib.request.Request,
    key: str,
    issuer: str,
    environ: Mapping[str, str],
    sleep: Callable[[float], None],
    attempts: int = 3,
) -> str:
    ca_file = environ.get("REQUESTS_CA_BUNDLE") or environ.get("SSL_CERT_FILE") or None
    https = urllib.request.HTTPSHandler(context=trusted_certificates(ca_file))
    opener = urllib.request.build_opener(https, _NoRedirect)
    for attempt in range(1, attempts + 1):
        try:
            with opener.open(request, timeout=_TIMEOUT_S) as response:
                return _token(response.read(_MOST_BYTES), key, issuer)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code not in _MAY_PASS or attempt == attempts:
                raise AzureDenied(f"{issuer} gave no identity token: it answered {error.code}.") from None
        except OSError as error:
            if attempt == attempts:
                reason = plain_reason(str(getattr(error, "reason", error)))
                raise AzureDenied(f"{issuer} gave no identity token: {reason}.") from None
        sleep(float(attempt))
    raise AssertionError("unreachable")


def _token(content: bytes, key: str, issuer: str) -> str:
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    token = body.get(key) if isinstance(body, dict) else None
    if not isinstance(token, str) or not token:
        raise AzureDenied(f"{issuer}'s answer has no identity token.")
    return token
