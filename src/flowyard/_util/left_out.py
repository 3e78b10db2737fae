"""What lies in people's folders without being part of what they keep there, and what must not be by mistake."""

from __future__ import annotations

import fnmatch
import re
from pathlib import PurePosixPath

__all__ = ["LEFT_OUT", "is_for_logins", "private_key_line"]

LEFT_OUT = (
    *(".git", ".svn", ".hg", ".venv", "venv", "node_modules", "__pycache__", "*.pyc", ".ipynb_checkpoints"),
    *(".flowyard", ".promptflow", ".runs", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".DS_Store"),
    *(".env", ".env.*", "*.env"),
)
"""Names, as ``fnmatch`` reads them, of caches, version control, environments, results and files with secrets."""

_LOGIN_FOLDERS = frozenset({".ssh", ".aws", ".azure", ".gnupg", ".kube", ".docker"})
_LOGIN_NAMES = (
    *("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "*.key", "*.pfx", "*.p12", "*.jks", "*.keystore", "*.kdbx"),
    *(".netrc", "_netrc", ".git-credentials", ".npmrc", ".pypirc", ".htpasswd", "kubeconfig"),
)
_PRIVATE_KEY = re.compile(rb"^[ \t]*-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[ \t\r]*$", re.MULTILINE)
_MOST_LOOKED_AT = 4 << 20


def is_for_logins(name: str) -> bool:
    """Whether the file of that name in a tree is one for keys or logins, wherever it lies."""
    place = PurePosixPath(name)
    own = place.name.lower()
    return not _LOGIN_FOLDERS.isdisjoint(place.parts[:-1]) or any(
        fnmatch.fnmatchcase(own, pattern) for pattern in _LOGIN_NAMES
    )


def private_key_line(content: bytes) -> int | None:
    """The number of the first line, from 1, on which a private key begins, of a text that is not too long."""
    if len(content) > _MOST_LOOKED_AT or b"\0" in content:
        return None
    found = _PRIVATE_KEY.search(content)
    return content.count(b"\n", 0, found.start()) + 1 if found else None
