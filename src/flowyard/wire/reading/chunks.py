"""A body in chunks, read strictly: no extensions, no trailers."""

from __future__ import annotations

import re

from flowyard.wire.limits import WireLimits
from flowyard.wire.refusal import Refusal

__all__ = ["ChunkReader"]

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_LONGEST_SIZE = 10


class ChunkReader:
    """Takes what arrives; ``body`` is complete once ``feed`` says so."""

    def __init__(self, limits: WireLimits) -> None:
        self.body = bytearray()
        self._limits = limits
        self._left = 0
        self._place = "size"

    def feed(self, data: bytearray) -> bool:
        """Take from the front of ``data`` all that belongs to the body; True at its end. Raises Refusal."""
        while True:
            if self._place == "size":
                if not self._take_size(data):
                    return False
            elif self._place == "content":
                taken = data[: self._left]
                self.body += taken
                self._left -= len(taken)
                del data[: len(taken)]
                if self._left:
                    return False
                self._place = "end of chunk"
            else:
                if not self._take_line_end(data):
                    return False
                if self._place == "end":
                    return True
                self._place = "size"

    def _take_size(self, data: bytearray) -> bool:
        found = _SIZE.match(data)
        if found is None:
            if len(data) >= _LONGEST_SIZE or not re.fullmatch(rb"[0-9A-Fa-f]{0,8}\r?", bytes(data)):
                raise Refusal(400, "The size of a chunk is malformed.")
            return False
        self._left = int(found[1], 16)
        if len(self.body) + self._left > self._limits.body_bytes:
            raise Refusal(413, f"The body is too large: at most {self._limits.body_bytes} bytes.")
        del data[: found.end()]
        self._place = "content" if self._left else "end"
        return True

    @staticmethod
    def _take_line_end(data: bytearray) -> bool:
        if not b"\r\n".startswith(bytes(data[:2])):
            raise Refusal(400, "A chunk does not end where it says.")
        if len(data) < 2:
            return False
        del data[:2]
        return True
