"""One secret key: in a variable of the environment, or else in a file that only its owner can read."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from collections.abc import Mapping
from pathlib import Path

from flowyard._util.files import write_atomic
from flowyard._util.lock import locked
from flowyard.errors import OutsideError, UserError

__all__ = ["KEY_VARIABLE", "SecretKey"]

KEY_VARIABLE = "FLOWYARD_APPROVAL_KEY"
"""The variable whose value is used instead of a key file: 32 random bytes in base64. It is none that also opens other
things, such as connections: whoever needs those could approve."""


class SecretKey:
    """A key of 32 bytes, read when it is first needed. Nobody gets it, only what is derived from it for one purpose."""

    def __init__(self, key_file: Path, environ: Mapping[str, str]) -> None:
        self._file = key_file
        self._given = environ.get(KEY_VARIABLE, "").strip()
        self._key: bytes | None = None

    @property
    def source(self) -> str:
        """Where the key comes from, for people."""
        return f"the variable {KEY_VARIABLE}" if self._given else f"the key file {self._file}"

    @property
    def exists(self) -> bool:
        """Whether there is a key."""
        return bool(self._given) or self._file.is_file()

    def make(self) -> None:
        """Make the key file, readable by its owner only, unless there is a key; of many processes one makes it.

        Raises OutsideError when it cannot be written.
        """
        if self.exists:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with locked(self._file.with_name(f"{self._file.name}.lock")):
                if not self.exists:
                    write_atomic(self._file, base64.b64encode(os.urandom(32)).decode() + "\n", mode=0o600)
        except OSError as error:
            raise OutsideError(
                f"The key file {self._file} cannot be written: {error.strerror}.", hint=f"Or set {KEY_VARIABLE}."
            ) from error

    def derived(self, purpose: bytes) -> bytes:
        """32 bytes for one purpose, which say nothing about the key. Raises UserError when there is no good key."""
        if self._key is None:
            self._key = _parsed(self._given or self._read(), self.source)
        return hmac.digest(self._key, purpose, "sha256")

    def _read(self) -> str:
        try:
            return self._file.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            raise UserError(f"The key file {self._file} does not exist.", hint=_PUT_BACK) from None
        except (OSError, UnicodeDecodeError):
            raise UserError(f"The key file {self._file} cannot be read.", hint=_PUT_BACK) from None


_PUT_BACK = f"Put the key file back, or export its line as {KEY_VARIABLE}."


def _parsed(text: str, source: str) -> bytes:
    try:
        key = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise UserError(
            f"The key in {source} is not 32 bytes in base64.", hint="A key is made with: openssl rand -base64 32"
        )
    return key
