"""Money in words: what model calls cost."""

from __future__ import annotations

from flowyard.records import Usage

__all__ = ["cost_text", "unpriced_text", "usd_text"]


def usd_text(cost_usd: float) -> str:
    """Dollars with as many digits as tell something: ``$12.34``, ``$0.0123``, ``$0.000042``."""
    if cost_usd == 0 or cost_usd >= 1:
        return f"${cost_usd:,.2f}"
    return f"${cost_usd:.4f}" if cost_usd >= 0.001 else f"${cost_usd:.6f}"


def unpriced_text(usage: Usage) -> str | None:
    """How many calls are missing from the cost; None when none is."""
    count = usage.unpriced_calls
    return f"{count:,} call{'' if count == 1 else 's'} without a known price" if count else None


def cost_text(usage: Usage) -> str | None:
    """What calls cost and spared, and how many have no known price; None when there is nothing to say of money."""
    parts = [
        usd_text(usage.cost_usd) if usage.cost_usd or usage.saved_usd else None,
        f"{usd_text(usage.saved_usd)} saved" if usage.saved_usd else None,
        unpriced_text(usage),
    ]
    return ", ".join(part for part in parts if part) or None
