"""The bodies that API version 2024-10-01 documents, as JSON schemas; what is not there is refused."""

from __future__ import annotations

from typing import Any

STRING = {"type": ["string", "null"]}
BOOLEAN = {"type": ["boolean", "null"]}
INTEGER = {"type": ["integer", "null"]}
STRINGS = {"type": ["object", "null"], "additionalProperties": {"type": ["string", "null"]}}
NUMBERS = {"type": ["object", "null"], "additionalProperties": {"type": "integer", "minimum": 0, "maximum": 100}}
DURATION = {"type": ["string", "null"], "pattern": "^P(?=.)(\\d+D)?(T(?=.)(\\d+H)?(\\d+M)?(\\d+(\\.\\d+)?S)?)?$"}


def _object(properties: dict[str, Any], required: list[str] | None = None, *, nullable: bool = False) -> dict[str, Any]:
    return {
        "type": ["object", "null"] if nullable else "object",
        "properties": properties,
        "required": required or [],
        "additionalProperties": False,
    }


def _one_of(*values: str, nullable: bool = True) -> dict[str, Any]:
    return {"enum": [*values, None] if nullable else list(values)}


_ASSET = {
    "description": STRING,
    "tags": STRINGS,
    "properties": STRINGS,
    "isAnonymous": BOOLEAN,
    "isArchived": BOOLEAN,
}
_ROUTE = _object({"path": STRING, "port": INTEGER}, ["path", "port"], nullable=True)
_PROBE = _object(
    {
        "initialDelay": DURATION,
        "period": DURATION,
        "timeout": DURATION,
        "successThreshold": INTEGER,
        "failureThreshold": INTEGER,
    },
    nullable=True,
)

_AMOUNTS = _object({"cpu": STRING, "gpu": STRING, "memory": STRING}, nullable=True)

DATA = _object(
    {
        **_ASSET,
        "dataType": _one_of("uri_file", "uri_folder", "mltable", nullable=False),
        "dataUri": {"type": "string", "minLength": 1},
    },
    ["dataType", "dataUri"],
)
MODEL = _object(
    {
        **_ASSET,
        "modelType": STRING,
        "modelUri": STRING,
        "jobName": STRING,
        "stage": STRING,
        "flavors": {"type": ["object", "null"]},
    }
)
ENVIRONMENT = _object(
    {
        **_ASSET,
        "image": STRING,
        "condaFile": STRING,
        "osType": _one_of("Linux", "Windows"),
        "stage": STRING,
        "autoRebuild": _one_of("Disabled", "OnBaseImageUpdate"),
        "build": _object({"contextUri": {"type": "string"}, "dockerfilePath": STRING}, ["contextUri"], nullable=True),
        "inferenceConfig": _object(
            {"livenessRoute": _ROUTE, "readinessRoute": _ROUTE, "scoringRoute": _ROUTE}, nullable=True
        ),
    }
)
ENDPOINT = _object(
    {
        "authMode": _one_of("AMLToken", "Key", "AADToken", nullable=False),
        "description": STRING,
        "properties": STRINGS,
        "compute": STRING,
        "traffic": NUMBERS,
        "mirrorTraffic": NUMBERS,
        "publicNetworkAccess": _one_of("Enabled", "Disabled"),
        "keys": {"type": "null"},
    },
    ["authMode"],
)
DEPLOYMENT = _object(
    {
        "endpointComputeType": _one_of("Managed", "Kubernetes", "AzureMLCompute", nullable=False),
        "description": STRING,
        "properties": STRINGS,
        "environmentId": STRING,
        "environmentVariables": STRINGS,
        "codeConfiguration": _object({"codeId": STRING, "scoringScript": {"type": "string"}}, nullable=True),
        "appInsightsEnabled": BOOLEAN,
        "egressPublicNetworkAccess": _one_of("Enabled", "Disabled"),
        "instanceType": STRING,
        "model": STRING,
        "modelMountPath": STRING,
        "livenessProbe": _PROBE,
        "readinessProbe": _PROBE,
        "requestSettings": _object(
            {"requestTimeout": DURATION, "maxQueueWait": DURATION, "maxConcurrentRequestsPerInstance": INTEGER},
            nullable=True,
        ),
        "scaleSettings": _object(
            {
                "scaleType": _one_of("Default", "TargetUtilization", nullable=False),
                "minInstances": INTEGER,
                "maxInstances": INTEGER,
                "pollingInterval": DURATION,
                "targetUtilizationPercentage": INTEGER,
            },
            ["scaleType"],
            nullable=True,
        ),
        "dataCollector": _object(
            {
                "collections": {
                    "type": "object",
                    "additionalProperties": _object(
                        {
                            "clientId": STRING,
                            "dataCollectionMode": _one_of("Enabled", "Disabled"),
                            "dataId": STRING,
                            "samplingRate": {"type": "number", "minimum": 0, "maximum": 1},
                        }
                    ),
                },
                "requestLogging": {"type": ["object", "null"]},
                "rollingRate": _one_of("Year", "Month", "Day", "Hour", "Minute"),
            },
            ["collections"],
            nullable=True,
        ),
        "containerResourceRequirements": _object(
            {"containerResourceLimits": _AMOUNTS, "containerResourceRequests": _AMOUNTS}, nullable=True
        ),
    },
    ["endpointComputeType"],
)

_READ_ONLY = {"id": STRING, "name": STRING, "type": STRING, "systemData": {"type": ["object", "null"]}}
_TRACKED = {
    **_READ_ONLY,
    "location": {"type": "string"},
    "tags": STRINGS,
    "kind": STRING,
    "identity": _object(
        {
            "type": _one_of("SystemAssigned", "UserAssigned", "SystemAssigned,UserAssigned", "None", nullable=False),
            "userAssignedIdentities": {"type": ["object", "null"]},
        },
        ["type"],
        nullable=True,
    ),
    "sku": _object(
        {"name": {"type": "string"}, "tier": STRING, "size": STRING, "family": STRING, "capacity": INTEGER},
        ["name"],
        nullable=True,
    ),
}


def version_of(properties: dict[str, Any]) -> dict[str, Any]:
    """The body of a version of an asset."""
    return _object({**_READ_ONLY, "properties": properties}, ["properties"])


def tracked(properties: dict[str, Any]) -> dict[str, Any]:
    """The body of an endpoint or a deployment."""
    return _object({**_TRACKED, "properties": properties}, ["properties", "location"])
