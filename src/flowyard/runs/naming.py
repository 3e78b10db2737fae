"""The name that people see of a run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

__all__ = ["expand_display_name"]


def expand_display_name(text: str | None, *, base_run: str | None, selected: Mapping[str, str]) -> str | None:
    """The display name with its macros filled in.

    ``${variant_id}`` is the selected variant (``variant_0`` when none was selected), ``${timestamp}`` the UTC time to
    the minute, and ``${run}`` the base run; without one it stays as it is.
    """
    if text is None:
        return None
    macros = {
        "${variant_id}": "_".join(selected[node] for node in sorted(selected)) or "variant_0",
        "${timestamp}": datetime.now(UTC).strftime("%Y%m%d%H%M"),
        **({"${run}": base_run} if base_run else {}),
    }
    for macro, value in macros.items():
        text = text.replace(macro, value)
    return text
