"""Where things are that tests use."""

from __future__ import annotations

from pathlib import Path

__all__ = ["DOCS", "EXAMPLE", "HELPERS", "ROOT"]

HELPERS = Path(__file__).resolve().parent
"""Has the programs that tests start."""
ROOT = HELPERS.parents[2]
DOCS = ROOT / "docs"
EXAMPLE = ROOT / "examples" / "ticket_triage"
