"""The key of approvals: nobody gets it, only what is derived from it for one purpose."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from pathlib import Path

from flowyard._util.key_file import KeyFile
from flowyard._util.lock import locked
from flowyard.errors import OutsideError

__all__ = ["KEY_VARIABLE", "SecretKey"]

KEY_VARIABLE = "FLOWYARD_APPROVAL_KEY"
"""The variable whose value is used instead of a key file: 32 random bytes in base64. It is none that also opens other
things, such as connections: whoever needs those could approve."""


class SecretKey:
    """A key of 32 bytes, read when it is first needed."""

    def __init__(self, key_file: Path, environ: Mapping[str, str]) -> None:
        self._key = KeyFile(key_file, environ, KEY_VARIABLE)

    @property
    def source(self) -> str:
        """Where the key comes from, for people."""
        return self._key.source

    @property
    def exists(self) -> bool:
        """Whether there is a key."""
        return self._key.exists

    def make(self) -> None:
        """Make the key file, readable by its owner only, unless there is a key; of many processes one makes it.

        Raises OutsideError when it cannot be written.
        """
        if self.exists:
            return
        file = self._key.file
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with locked(file.with_name(f"{file.name}.lock")):
                if not self.exists:
                    self._key.write()
        except OSError as error:
            raise OutsideError(
                f"The key file {file} cannot be written: {error.strerror}.", hint=f"Or set {KEY_VARIABLE}."
            ) from error

    def derived(self, purpose: bytes) -> bytes:
        """32 bytes for one purpose, which say nothing about the key. Raises UserError when there is no good key."""
        return hmac.digest(self._key.key(), purpose, "sha256")
