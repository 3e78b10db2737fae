"""Encrypting the secrets of the connection store with one key: a key file beside it, or ``FLOWYARD_KEY``."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from flowyard._util.files import write_atomic
from flowyard.errors import ExtraMissing, UserError

__all__ = ["KEY_VARIABLE", "Vault"]

KEY_VARIABLE = "FLOWYARD_KEY"
"""The variable whose value is used instead of the key file: 32 random bytes in base64."""


class Vault:
    """Encrypts and decrypts with one key, which is read when it is first needed.

    ``fingerprint`` tells keys apart without saying anything about them.
    """

    def __init__(self, key_file: Path, environ: Mapping[str, str]) -> None:
        self._file = key_file
        self._given = environ.get(KEY_VARIABLE, "").strip()
        self._key: bytes | None = None

    @property
    def source(self) -> str:
        """Where the key comes from, for errors."""
        return f"the variable {KEY_VARIABLE}" if self._given else f"the key file {self._file}"

    @property
    def exists(self) -> bool:
        """Whether there is a key."""
        return bool(self._given) or self._file.is_file()

    def make(self) -> None:
        """Make the key file, readable by its owner only. Hold the store's lock."""
        write_atomic(self._file, base64.urlsafe_b64encode(os.urandom(32)).decode() + "\n", mode=0o600)

    def fingerprint(self) -> str:
        """A short name of the key. Raises UserError when there is none or it is malformed."""
        return hashlib.sha256(b"flowyard connections\0" + self._bytes()).hexdigest()[:16]

    def encrypt(self, text: str) -> str:
        """The text, encrypted. Raises UserError and ExtraMissing."""
        return str(self._fernet().encrypt(text.encode()).decode())

    def decrypt(self, token: str) -> str | None:
        """The text of a token, or None when it is damaged. Raises UserError and ExtraMissing."""
        fernet = self._fernet()
        try:
            return str(fernet.decrypt(token.encode()).decode())
        except import_module("cryptography.fernet").InvalidToken:
            return None

    def _fernet(self) -> Any:
        try:
            fernet = import_module("cryptography.fernet")
        except ImportError:
            raise ExtraMissing(
                "The connection store needs the package cryptography.", hint="pip install cryptography"
            ) from None
        return fernet.Fernet(base64.urlsafe_b64encode(self._bytes()))

    def _bytes(self) -> bytes:
        if self._key is None:
            self._key = _parse_key(self._given or self._read(), self.source)
        return self._key

    def _read(self) -> str:
        try:
            return self._file.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            raise UserError(f"The key file {self._file} does not exist.", hint=_PUT_BACK) from None
        except (OSError, UnicodeDecodeError):
            raise UserError(f"The key file {self._file} cannot be read.", hint=_PUT_BACK) from None


_PUT_BACK = f"Put the key file back, or export its line as {KEY_VARIABLE}."


def _parse_key(text: str, source: str) -> bytes:
    try:
        key = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise UserError(
            f"The key in {source} is not 32 bytes in base64.", hint="A key is made with: openssl rand -base64 32"
        )
    return key
