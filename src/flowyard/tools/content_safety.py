"""Azure AI Content Safety: whether a text is acceptable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import ProviderError, UserError
from flowyard.llm.connection import AzureContentSafetyConnection
from flowyard.llm.services import Services
from flowyard.tools.service_call import ServiceRequest, address_of, ask_service, secret_of

__all__ = ["analyze_text"]

_NEVER = None
_LOWEST_REJECTED: Mapping[str, int | None] = {
    "disable": _NEVER,
    "low_sensitivity": 6,
    "medium_sensitivity": 4,
    "high_sensitivity": 2,
}
"""Sensitivity -> the lowest severity that is rejected."""


async def analyze_text(
    services: Services,
    connection: AzureContentSafetyConnection,
    text: str,
    hate_category: str = "medium_sensitivity",
    sexual_category: str = "medium_sensitivity",
    self_harm_category: str = "medium_sensitivity",
    violence_category: str = "medium_sensitivity",
) -> dict[str, Any]:
    """``{"suggested_action": "Accept" or "Reject", "action_by_category": {"Hate": …, "SelfHarm": …, …}}``.

    Each sensitivity is ``disable`` or ``low_``, ``medium_`` or ``high_sensitivity``. Raises UserError, ProviderError.
    """
    limits = {
        "Hate": _limit("hate_category", hate_category),
        "SelfHarm": _limit("self_harm_category", self_harm_category),
        "Sexual": _limit("sexual_category", sexual_category),
        "Violence": _limit("violence_category", violence_category),
    }
    request = ServiceRequest(
        "Azure AI Content Safety",
        connection,
        f"{address_of(connection, 'endpoint')}/contentsafety/text:analyze",
        params={"api-version": str(connection.api_version)},
        headers={"Ocp-Apim-Subscription-Key": secret_of(connection)},
        body={"text": text, "blocklistNames": []},
    )
    answer = await ask_service(services, request)
    severities = _severities(answer, request.label)
    actions = {name: _action(severities[name], limit) for name, limit in limits.items()}
    blocked = bool(answer.get("blocklistsMatch") or answer.get("blocklistsMatchResults"))
    return {
        "suggested_action": "Reject" if blocked or "Reject" in actions.values() else "Accept",
        "action_by_category": actions,
    }


def _limit(name: str, sensitivity: str) -> int | None:
    if sensitivity not in _LOWEST_REJECTED:
        near = did_you_mean(str(sensitivity), _LOWEST_REJECTED) or f"Use one of: {known_names(_LOWEST_REJECTED)}."
        raise UserError(f"The input {name!r} cannot be {sensitivity!r}.", hint=near)
    return _LOWEST_REJECTED[sensitivity]


def _action(severity: int, limit: int | None) -> str:
    return "Reject" if limit is not None and severity >= limit else "Accept"


def _severities(answer: Any, label: str) -> dict[str, int]:
    """The severity of each category, from the form of the API since 2023-10-01 or from the one before it."""
    try:
        if "categoriesAnalysis" in answer:
            found = {item["category"]: int(item["severity"]) for item in answer["categoriesAnalysis"]}
        else:
            keys = {"Hate": "hateResult", "SelfHarm": "selfHarmResult", "Sexual": "sexualResult"}
            keys["Violence"] = "violenceResult"
            found = {name: int(answer[key]["severity"]) for name, key in keys.items()}
        return {name: found[name] for name in ("Hate", "SelfHarm", "Sexual", "Violence")}
    except (KeyError, TypeError, ValueError):
        raise ProviderError(f"{label} did not say how severe each category is.") from None
