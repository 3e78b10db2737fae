"""What lies in people's folders without being part of what they keep there."""

from __future__ import annotations

__all__ = ["LEFT_OUT"]

LEFT_OUT = (
    *(".git", ".svn", ".hg", ".venv", "venv", "node_modules", "__pycache__", "*.pyc", ".ipynb_checkpoints"),
    *(".flowyard", ".promptflow", ".runs", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".DS_Store"),
    *(".env", ".env.*", "*.env"),
)
"""Names, as ``fnmatch`` reads them, of caches, version control, environments, results and files with secrets."""
