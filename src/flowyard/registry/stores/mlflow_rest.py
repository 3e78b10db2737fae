"""MLflow's REST API over HTTP: who asks, what is tried again, and what an answer means."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from flowyard._util.printable import printable_text
from flowyard._util.redact import redact
from flowyard.errors import OutsideError, UserError
from flowyard.registry.stores.mlflow_login import MlflowLogin

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from urllib.request import OpenerDirector

__all__ = ["MISSING", "TAKEN", "MlflowRest", "Refused", "Sent"]

_T = TypeVar("_T")

MISSING = "RESOURCE_DOES_NOT_EXIST"
TAKEN = "RESOURCE_ALREADY_EXISTS"

_TIMEOUT_S = 60.0
_ATTEMPTS = 6
_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 60.0
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_CONFLICT = "BAD_REQUEST"
"""What MLflow says when its database refuses a row, because somebody was quicker to write the same."""
_PIECE = 1 << 18
_MOST_JSON = 256 << 20
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Refused(OutsideError):
    """What was asked was not done. ``code`` is MLflow's word for why, such as RESOURCE_DOES_NOT_EXIST.

    It is the HTTP status where something else than MLflow's API answered, which never says that a thing is not there.
    """

    def __init__(self, message: str, *, code: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code


class Sent(NamedTuple):
    """A body that can be sent more than once: opened anew for each try, ``size`` bytes long."""

    open: Callable[[], IO[bytes]]
    size: int
    type: str = "application/octet-stream"


class _TryAgain(Exception):
    """An attempt that failed for a reason that may pass; ``wait_s`` is what the server asked for."""

    def __init__(self, what: str, wait_s: float | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.wait_s = wait_s


class MlflowRest:
    """One MLflow server, or a workspace that answers as one. Blocking; many threads may use it at once.

    Everything that is asked may be asked twice, because an answer can be lost: callers see to it that this does no
    harm. Redirects are not followed, since they could lead the credentials elsewhere.
    """

    def __init__(self, url: str, login: MlflowLogin, wait: Callable[[float], None] = time.sleep) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise UserError(
                "That is no address of an MLflow server.",
                hint="Write mlflow+https://HOST, without a user or a password: those come from MLFLOW_TRACKING_*.",
            )
        self._url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._login = login
        self._wait = wait
        self.host = parts.netloc
        self.label = f"MLflow at {parts.netloc}"

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """The JSON object at ``/api/2.0/mlflow/<path>``. Raises Refused and OutsideError."""
        text = f"?{urlencode(query)}" if query else ""
        return self._json("GET", f"/api/2.0/mlflow/{path}{text}", None)

    def post(self, path: str, body: Mapping[str, Any], *, method: str = "POST") -> dict[str, Any]:
        """Send a JSON object to ``/api/2.0/mlflow/<path>`` and give the answer. Raises Refused and OutsideError."""
        return self._json(method, f"/api/2.0/mlflow/{path}", _json_body(body))

    def post_spans(self, body: Mapping[str, Any], experiment: str, run: str) -> None:
        """Send spans as OpenTelemetry's JSON, into an experiment and beside a run. Raises Refused and OutsideError."""
        headers = {"x-mlflow-experiment-id": experiment, "x-mlflow-run-id": run}
        self._try("POST", "/v1/traces", _json_body(body), headers, _skip)

    def upload(self, path: str, sent: Sent) -> None:
        """Store an artifact through the server. Raises Refused and OutsideError."""
        self._try("PUT", _artifact(path), sent, {}, _skip)

    def download(self, path: str, target: Path, most: int) -> None:
        """Write an artifact into a file, at most one byte more than ``most``. Raises Refused and OutsideError."""

        def write(response: HTTPResponse) -> None:
            left = most + 1
            with target.open("wb") as file:
                while left > 0 and (piece := response.read(min(left, _PIECE))):
                    file.write(piece)
                    left -= len(piece)

        self._try("GET", _artifact(path), None, {}, write)

    def _json(self, method: str, path: str, sent: Sent | None) -> dict[str, Any]:
        text = self._try(method, path, sent, {}, lambda response: response.read(_MOST_JSON))
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise OutsideError(f"{self.label} did not answer with JSON.", hint="Is that the address of an MLflow?")
        return answer

    def _try(
        self, method: str, path: str, sent: Sent | None, headers: Mapping[str, str], use: Callable[[HTTPResponse], _T]
    ) -> _T:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._once(method, path, sent, headers, use)
            except _TryAgain as again:
                wait_s = again.wait_s
                if wait_s is None:
                    wait_s = _FIRST_WAIT_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)
                if attempt == _ATTEMPTS or wait_s > _LONGEST_WAIT_S:
                    asked = f" It asks to wait {wait_s:.0f} s." if again.wait_s else ""
                    hint = "Nothing that was there is changed. Try again later, or look at the server's log."
                    raise OutsideError(f"{self.label} {again.what}.{asked}", hint=hint) from None
                self._wait(wait_s)
        raise AssertionError("the last attempt raises")

    def _once(
        self, method: str, path: str, sent: Sent | None, headers: Mapping[str, str], use: Callable[[HTTPResponse], _T]
    ) -> _T:
        # Imported here because they bring TLS and e-mail with them, and only such a registry needs them.
        from http.client import HTTPException  # noqa: PLC0415
        from urllib.error import HTTPError, URLError  # noqa: PLC0415
        from urllib.request import Request  # noqa: PLC0415

        every = {"Accept": "application/json", **headers, **self._login.headers()}
        body = sent.open() if sent else None
        if sent:
            every |= {"Content-Type": sent.type, "Content-Length": str(sent.size)}
        request = Request(self._url + path, data=body, headers=every, method=method)  # noqa: S310 - checked above
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as response:
                return use(response)
        except HTTPError as error:
            with closing(error):
                self._refuse(error.code, _read_error(error), error.headers.get("Retry-After"))
        except URLError as error:
            raise _TryAgain(f"does not answer ({_shown(str(error.reason))})") from None
        except (HTTPException, TimeoutError, ConnectionError) as error:
            raise _TryAgain(f"broke off ({_shown(str(error)) or type(error).__name__})") from None
        finally:
            if body is not None:
                body.close()
        raise AssertionError("an error's answer raises")

    @cached_property
    def _opener(self) -> OpenerDirector:
        from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, build_opener  # noqa: PLC0415

        class NoRedirect(HTTPRedirectHandler):
            def redirect_request(self, *_: Any, **__: Any) -> None:
                return None

        here = urlsplit(self._url).hostname in _LOOPBACK
        handlers = [NoRedirect(), HTTPSHandler(context=self._login.tls()), *([ProxyHandler({})] if here else [])]
        return build_opener(*handlers)

    def _refuse(self, status: int, text: bytes, retry_after: str | None) -> None:
        code, message = _error_of(text)
        said = _shown(redact(message, self._login.secrets()))
        what = f"answered {status}" + (f": {said}" if said else "")
        if status in _AGAIN or code == _CONFLICT:
            raise _TryAgain(what, _seconds(retry_after))
        if status in (401, 403):
            raise OutsideError(f"{self.label} {what}.", hint=self._login.hint)
        hint = (
            f"MLflow calls it {code}." if code else "Is that MLflow's address, with its path? Is a sign-in before it?"
        )
        raise Refused(f"{self.label} {what}.", code=code or str(status), hint=hint)


def _json_body(body: Mapping[str, Any]) -> Sent:
    import io  # noqa: PLC0415 - with the rest of what sends

    data = json.dumps(body, ensure_ascii=True, allow_nan=False).encode()
    return Sent(lambda: io.BytesIO(data), len(data), "application/json")


def _artifact(path: str) -> str:
    return f"/api/2.0/mlflow-artifacts/artifacts/{quote(path)}"


def _skip(response: HTTPResponse) -> None:
    response.read(_PIECE)


def _read_error(error: Any) -> bytes:
    try:
        return bytes(error.read(_PIECE))
    except OSError:
        return b""


def _error_of(text: bytes) -> tuple[str, str]:
    """MLflow's code and message; both empty for what another server said."""
    try:
        said = json.loads(text)
    except ValueError:
        return "", ""
    if not isinstance(said, dict) or "error_code" not in said:
        return "", str(said.get("detail", "")) if isinstance(said, dict) else ""
    return str(said["error_code"]), str(said.get("message", ""))


def _shown(text: str) -> str:
    line = printable_text(" ".join(text.split()))
    return line if len(line) <= 300 else f"{line[:299]}…"


def _seconds(retry_after: str | None) -> float | None:
    """What ``Retry-After`` asks for: seconds, or a date."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
