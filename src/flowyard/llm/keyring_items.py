"""The operating system's keyring, through the package ``keyring``: items of secrets, each call bounded in time.

A keyring can ask a person, or wait for a desktop that is not there. Every call therefore runs in a thread that is given
up after a while; after the first that does not answer, no other is tried.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from importlib import import_module
from threading import Thread
from typing import Any, TypeVar

from flowyard.errors import ExtraMissing, OutsideError, StoreError

__all__ = ["Keyring", "new_item"]

SERVICE = "flowyard"
"""The service that all items belong to."""

_CHOOSE_S = 5.0
_ASK_S = 30.0  # long enough for a person to unlock it
_UNSAFE = ("keyring.backends.fail", "keyring.backends.null", "keyrings.")  # no keyring, or files, some with a prompt

T = TypeVar("T")


def new_item(connection: str) -> str:
    """A name for an item that was never used: what is stored under an old one stays whole until it is deleted."""
    return f"{connection} {secrets.token_hex(8)}"


class Keyring:
    """Items of the keyring; each is a mapping of a connection's secret fields to their texts.

    ``carried`` are items that were read elsewhere, for processes that cannot reach the keyring.
    """

    def __init__(
        self,
        carried: Mapping[str, Mapping[str, str]] | None = None,
        *,
        choose_s: float = _CHOOSE_S,
        ask_s: float = _ASK_S,
    ) -> None:
        self._carried = dict(carried or {})
        self._choose_s = choose_s
        self._ask_s = ask_s
        self._backend: Any = None
        self._silent = False

    def usable(self) -> bool:
        """Whether there is a real keyring, one that is neither a file nor a stand-in."""
        try:
            self.require()
        except (ExtraMissing, OutsideError):
            return False
        return True

    def get(self, item: str) -> Mapping[str, str]:
        """The secrets of an item. Raises StoreError when it is gone, OutsideError when the keyring does not answer."""
        if item in self._carried:
            return self._carried[item]
        backend = self.require()
        text = self._bounded(lambda: backend.get_password(SERVICE, item), self._ask_s)
        try:
            found = json.loads(text or "")
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise StoreError(f"The keyring has no item {item!r} of {SERVICE} any more, or it is damaged.")
        self._carried[item] = found
        return found

    def put(self, item: str, values: Mapping[str, str]) -> None:
        """Store an item and read it back. Raises OutsideError when the keyring refuses, ExtraMissing."""
        backend = self.require()
        text = json.dumps(dict(values))

        def store() -> bool:
            backend.set_password(SERVICE, item, text)
            return bool(backend.get_password(SERVICE, item) == text)

        if not self._bounded(store, self._ask_s):
            raise OutsideError(f"The {self.label} did not keep what it was given.", hint=_OR_FILE)

    def forget(self, item: str) -> bool:
        """Delete an item; True when it is gone for certain, also when it was not there."""
        self._carried.pop(item, None)
        try:
            backend = self.require()
            return self._bounded(lambda: _gone(backend, item), self._ask_s)
        except (ExtraMissing, OutsideError):
            return False

    @property
    def label(self) -> str:
        """The keyring, for messages."""
        name = type(self._backend).__module__.rpartition(".")[2] if self._backend is not None else ""
        return f"keyring ({name})" if name else "keyring"

    def require(self) -> Any:
        """The keyring itself. Raises ExtraMissing, and OutsideError when there is no real one."""
        if self._backend is None:
            self._backend = self._bounded(_real_backend, self._choose_s)
        if self._backend is None:
            raise OutsideError("This machine has no keyring that can keep secrets.", hint=_OR_FILE)
        return self._backend

    def _bounded(self, call: Callable[[], T], timeout_s: float) -> T:
        """What the call returns. Raises OutsideError when it fails, without its text: that may repeat a secret."""
        if self._silent:
            raise OutsideError("The keyring does not answer.", hint=_UNLOCK)
        answers: list[T] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                answers.append(call())
            except BaseException as error:  # each backend raises its own
                errors.append(error)

        thread = Thread(target=run, name="keyring", daemon=True)
        thread.start()
        thread.join(timeout_s)
        if answers:
            return answers[0]
        if not errors:
            self._silent = True
            raise OutsideError(f"The keyring did not answer within {timeout_s:g} s.", hint=_UNLOCK)
        if isinstance(errors[0], ExtraMissing):
            raise errors[0]
        raise OutsideError(f"The {self.label} refused ({type(errors[0]).__name__}).", hint=_UNLOCK) from None


_OR_FILE = "Keep secrets in the encrypted file: FLOWYARD_SECRETS=file, or flowyard config set connection.secrets=file"
_UNLOCK = f"Unlock it and try again. {_OR_FILE}"


def _real_backend() -> Any:
    """The backend that ``keyring`` chose, or the first real one of a chain; None when there is none."""
    try:
        keyring = import_module("keyring")
    except ImportError:
        raise ExtraMissing("The package keyring is not installed.", hint="pip install 'flowyard[keyring]'") from None
    chosen = keyring.get_keyring()
    chain = getattr(chosen, "backends", None) if type(chosen).__module__ == "keyring.backends.chainer" else None
    return next((each for each in (chain or [chosen]) if _is_real(each)), None)


def _is_real(backend: Any) -> bool:
    return not type(backend).__module__.startswith(_UNSAFE)


def _gone(backend: Any, item: str) -> bool:
    if backend.get_password(SERVICE, item) is None:
        return True
    backend.delete_password(SERVICE, item)
    return backend.get_password(SERVICE, item) is None
