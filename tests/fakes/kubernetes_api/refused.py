"""How the API of Kubernetes refuses."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """A request that the API does not carry out."""

    def __init__(self, status: int, reason: str, message: str, causes: list[dict[str, str]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status}
        self.body |= {"reason": reason, "message": message, "details": {"causes": causes or []}}
