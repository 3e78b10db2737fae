"""A key of 32 bytes: in a variable of the environment, or else in a file that only its owner can read."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path

from flowyard._util.files import write_atomic
from flowyard.errors import UserError

__all__ = ["KeyFile"]


class KeyFile:
    """The key that ``variable`` holds, or the file; read when it is first needed."""

    def __init__(self, file: Path, environ: Mapping[str, str], variable: str) -> None:
        self.file = file
        self.variable = variable
        self._given = environ.get(variable, "").strip()
        self._key: bytes | None = None

    @property
    def source(self) -> str:
        """Where the key comes from, for people."""
        return f"the variable {self.variable}" if self._given else f"the key file {self.file}"

    @property
    def exists(self) -> bool:
        """Whether there is a key."""
        return bool(self._given) or self.file.is_file()

    def write(self) -> None:
        """Write a new key, readable by its owner only. Raises OSError. Hold a lock."""
        write_atomic(self.file, base64.b64encode(os.urandom(32)).decode() + "\n", mode=0o600)

    def key(self) -> bytes:
        """The 32 bytes. Raises UserError when there are none or they are malformed."""
        if self._key is None:
            self._key = self._parsed(self._given or self._read())
        return self._key

    def _read(self) -> str:
        hint = f"Put the key file back, or export its line as {self.variable}."
        try:
            return self.file.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            raise UserError(f"The key file {self.file} does not exist.", hint=hint) from None
        except (OSError, UnicodeDecodeError):
            raise UserError(f"The key file {self.file} cannot be read.", hint=hint) from None

    def _parsed(self, text: str) -> bytes:
        """Both alphabets of base64 are read."""
        try:
            key = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != 32:
            raise UserError(
                f"The key in {self.source} is not 32 bytes in base64.",
                hint="A key is made with: openssl rand -base64 32",
            )
        return key
