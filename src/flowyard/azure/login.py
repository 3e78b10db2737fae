"""Which way of logging in is taken, and the errors when none leads to a token.

A way that is set up by variables is the only one that is tried: when it fails, another one might be somebody else's
login. Without such a way, those that a machine or a person may have are tried one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowyard._util.suggest import known_names
from flowyard.azure.errors import AzureDenied, plain_reason
from flowyard.azure.login_ways import LOGIN_WAYS, LoginWay, NotHere, login_secrets
from flowyard.errors import ExtraMissing, FlowyardError, UserError

__all__ = ["CHOICE_VARIABLE", "LoginSearch"]

CHOICE_VARIABLE = "AZURE_TOKEN_CREDENTIALS"
"""azure-identity's variable that says which ways may be tried: ``prod``, ``dev``, or the name of one."""

_NEXT = (
    "On a desk: az login. In CI, without a secret: flowyard azure setup --print. Elsewhere: FLOWYARD_AZURE_TOKEN. "
    "`flowyard azure doctor` says what is missing."
)


class LoginSearch:
    """A credential in the shape of azure-identity's: finds a way at the first token, and stays with it."""

    def __init__(self, environ: Mapping[str, str], ways: Sequence[LoginWay] = LOGIN_WAYS) -> None:
        self._environ = environ
        self._ways = ways
        self._credential: Any = None
        self.way: LoginWay | None = None

    def get_token(self, scope: str) -> Any:
        """An access token of azure-identity. Raises AzureDenied, which says for each way why it gave none."""
        if self._credential is not None and self.way is not None:
            return self._of_chosen(self.way, self._credential, scope)
        ways = _allowed(self._ways, self._environ)
        ready = next((way for way in ways if way.needs and not way.missing(self._environ)), None)
        if ready is not None:
            self.way, self._credential = ready, self._made(ready)
            return self._of_chosen(ready, self._credential, scope)
        return self._first_of([way for way in ways if not way.needs], ways, scope)

    def _made(self, way: LoginWay) -> Any:
        try:
            return way.make(self._environ)
        except FlowyardError:
            raise
        except Exception as error:  # a file that cannot be read, a tenant that is no tenant: what a class raises
            raise self._denied(way, error) from None

    def _of_chosen(self, way: LoginWay, credential: Any, scope: str) -> Any:
        try:
            return credential.get_token(scope)
        except AzureDenied as error:
            raise AzureDenied(f"The {way.name} gave no login: {error.message}", hint=way.advice) from None
        except Exception as error:  # classes of azure-core, which is not imported here
            raise self._denied(way, error) from None

    def _denied(self, way: LoginWay, error: Exception) -> AzureDenied:
        return AzureDenied(f"The {way.name} gave no login: {self._reason(error)}", hint=way.advice)

    def _first_of(self, tried: Sequence[LoginWay], ways: Sequence[LoginWay], scope: str) -> Any:
        why: dict[str, str] = {}
        for way in tried:
            try:
                credential = way.make(self._environ)
                token = credential.get_token(scope)
            except ExtraMissing:
                raise
            except NotHere as reason:
                why[way.name] = str(reason)
            except Exception as error:  # each class of credential raises its own
                why[way.name] = self._reason(error)
            else:
                self.way, self._credential = way, credential
                return token
        lines = [f"  {way.name}: {_told(way, why, self._environ)}" for way in ways]
        raise AzureDenied("\n".join(["There is no login for Azure.", *lines]), hint=_NEXT)

    def _reason(self, error: Exception) -> str:
        text = str(error)
        for secret in login_secrets(self._environ):
            text = text.replace(secret, "******")
        return plain_reason(text) or type(error).__name__


def _told(way: LoginWay, why: Mapping[str, str], environ: Mapping[str, str]) -> str:
    if not way.needs:
        return why.get(way.name, "not tried")
    missing = ", ".join(way.missing(environ))
    return f"half set up, {missing} missing" if way.is_wanted(environ) else f"not set up ({missing})"


def _allowed(ways: Sequence[LoginWay], environ: Mapping[str, str]) -> list[LoginWay]:
    choice = (environ.get(CHOICE_VARIABLE) or "").strip().lower()
    if not choice:
        return list(ways)
    if choice in ("dev", "prod"):
        return [way for way in ways if way.on_a_desk == (choice == "dev")]
    chosen = [way for way in ways if way.credential.lower() == choice]
    if not chosen:
        names = known_names(["dev", "prod", *dict.fromkeys(way.credential for way in ways)], most=20)
        raise UserError(f"{CHOICE_VARIABLE} names no way to log in that is known here.", hint=f"It can be {names}.")
    return chosen
