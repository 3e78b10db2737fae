"""What bodies may hold: what the documentation of Microsoft.Web has, as far as it is used, and nothing else."""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "string", "minLength": 1}
_BOOL = {"type": "boolean"}
_RULE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "actionHostName", "reroutePercentage"],
    "properties": {"name": _TEXT, "actionHostName": _TEXT, "reroutePercentage": {"type": "number", "minimum": 0}},
}


def _closed(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": list(required or properties),
    }


_SETTING = _closed({"name": _TEXT, "value": {"type": "string"}})
_CONFIG = _closed(
    {
        "linuxFxVersion": {"type": "string", "pattern": r"^DOCKER\|[a-z0-9.-]+/[a-z0-9._/-]+@sha256:[0-9a-f]{64}$"},
        "acrUseManagedIdentityCreds": _BOOL,
        "acrUserManagedIdentityID": _TEXT,
        "healthCheckPath": {"type": "string", "pattern": "^/"},
        "alwaysOn": _BOOL,
        "minTlsVersion": {"enum": ["1.0", "1.1", "1.2", "1.3"]},
        "scmMinTlsVersion": {"enum": ["1.0", "1.1", "1.2", "1.3"]},
        "ftpsState": {"enum": ["AllAllowed", "FtpsOnly", "Disabled"]},
        "http20Enabled": _BOOL,
        "appSettings": {"type": "array", "items": _SETTING},
    },
    "linuxFxVersion",
    "appSettings",
)
_IDENTITY = _closed(
    {"type": {"enum": ["SystemAssigned", "UserAssigned"]}, "userAssignedIdentities": {"type": "object"}}, "type"
)
_TAGS = {"type": "object", "additionalProperties": {"type": "string"}}

SITE = _closed(
    {
        "location": _TEXT,
        "kind": {"const": "app,linux,container"},
        "tags": _TAGS,
        "identity": _IDENTITY,
        "properties": _closed(
            {
                "serverFarmId": _TEXT,
                "reserved": {"const": True},
                "enabled": _BOOL,
                "httpsOnly": _BOOL,
                "clientAffinityEnabled": _BOOL,
                "keyVaultReferenceIdentity": _TEXT,
                "siteConfig": _CONFIG,
            }
        ),
    },
    "location",
    "properties",
)
PLAN = _closed(
    {
        "location": _TEXT,
        "kind": _TEXT,
        "tags": _TAGS,
        "sku": _closed({"name": _TEXT, "capacity": {"type": "integer", "minimum": 1}}, "name"),
        "properties": _closed({"reserved": _BOOL}),
    },
    "location",
    "sku",
)
SETTINGS = _closed({"properties": {"type": "object", "additionalProperties": {"type": "string"}}})
SLOT_NAMES = _closed({"properties": _closed({"appSettingNames": {"type": "array", "items": _TEXT}})})
RULES = _closed({"properties": _closed({"experiments": _closed({"rampUpRules": {"type": "array", "items": _RULE}})})})
LOGS = _closed(
    {
        "properties": _closed(
            {
                "httpLogs": _closed(
                    {
                        "fileSystem": _closed(
                            {
                                "enabled": _BOOL,
                                "retentionInMb": {"type": "integer", "minimum": 25, "maximum": 100},
                                "retentionInDays": {"type": "integer", "minimum": 0},
                            }
                        )
                    }
                )
            }
        )
    }
)
SWAP = _closed({"targetSlot": _TEXT, "preserveVnet": _BOOL})
