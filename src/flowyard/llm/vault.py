"""Encrypting the secrets of the connection store with one key: a key file beside it, or ``FLOWYARD_KEY``."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from flowyard._util.key_file import KeyFile
from flowyard.errors import ExtraMissing

__all__ = ["KEY_VARIABLE", "Vault"]

KEY_VARIABLE = "FLOWYARD_KEY"
"""The variable whose value is used instead of the key file: 32 random bytes in base64."""


class Vault:
    """Encrypts and decrypts with one key, which is read when it is first needed.

    ``fingerprint`` tells keys apart without saying anything about them.
    """

    def __init__(self, key_file: Path, environ: Mapping[str, str]) -> None:
        self._key = KeyFile(key_file, environ, KEY_VARIABLE)

    @property
    def source(self) -> str:
        """Where the key comes from, for errors."""
        return self._key.source

    @property
    def exists(self) -> bool:
        """Whether there is a key."""
        return self._key.exists

    def make(self) -> None:
        """Make the key file, readable by its owner only. Hold the store's lock."""
        self._key.write()

    def fingerprint(self) -> str:
        """A short name of the key. Raises UserError when there is none or it is malformed."""
        return hashlib.sha256(b"flowyard connections\0" + self._key.key()).hexdigest()[:16]

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
        return fernet.Fernet(base64.urlsafe_b64encode(self._key.key()))
