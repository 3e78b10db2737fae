"""Options of the target ``azure-ml``."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from flowyard.deploy.options.model import TargetOptions

__all__ = ["AzureMlOptions", "DataCollection", "Probe", "Scale"]

_RESOURCE_ID = re.compile(r"/subscriptions/[^/\s]+/resourceGroups/[^/\s]+/providers/[^\s]+", re.IGNORECASE)
_MODEL = re.compile(r"azureml:[A-Za-z0-9._-]+:[A-Za-z0-9._-]+|azureml://registries/[A-Za-z0-9._/-]+")
_COLLECTION = re.compile(r"[A-Za-z0-9_]{1,64}")
MOST_TIMEOUT_MS = 300_000
"""For a flow; what is no flow may take 90 s on a managed endpoint."""


def _resource_id(value: str) -> str:
    if not _RESOURCE_ID.fullmatch(value):
        message = "it is a resource's id: /subscriptions/…/resourceGroups/…/providers/…"
        raise PydanticCustomError("resource_id", "{why}", {"why": message})
    return value


def _model(value: str) -> str:
    if not _MODEL.fullmatch(value):
        raise PydanticCustomError("model", "a model is azureml:NAME:VERSION or azureml://registries/…")
    return value


def _collection(value: str) -> str:
    if not _COLLECTION.fullmatch(value):
        raise PydanticCustomError("collection", "a collection is a name such as model_inputs")
    return value


ResourceId = Annotated[str, AfterValidator(_resource_id)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Probe(_Part):
    """When Azure asks ``/health``; seconds and counts, with Azure's own defaults."""

    initial_delay_s: Annotated[int, Field(ge=1, le=3600)] = 10
    period_s: Annotated[int, Field(ge=1, le=3600)] = 10
    timeout_s: Annotated[int, Field(ge=1, le=3600)] = 2
    success_threshold: Annotated[int, Field(ge=1, le=1000)] = 1
    failure_threshold: Annotated[int, Field(ge=1, le=1000)] = 30


class Scale(_Part):
    """Instances by utilization; only Kubernetes has it, managed endpoints are scaled by Azure Monitor."""

    min_instances: Annotated[int, Field(ge=1, le=1000)] = 1
    max_instances: Annotated[int, Field(ge=1, le=1000)] = 1
    polling_interval_s: Annotated[int, Field(ge=1, le=3600)] = 1
    target_utilization_percentage: Annotated[int, Field(ge=1, le=100)] = 70


class DataCollection(_Part):
    """What Azure ML's data collector keeps: collections by name, and the share of the requests."""

    collections: Annotated[tuple[Annotated[str, AfterValidator(_collection)], ...], Field(min_length=1)]
    sampling_rate: Annotated[float, Field(ge=0, le=1)] = 1.0
    rolling_rate: Literal["minute", "hour", "day"] = "hour"


class AzureMlOptions(TargetOptions):
    """``compute`` is ``managed`` or the name of an attached Kubernetes cluster.

    Where ``subscription_id``, ``resource_group`` and ``workspace`` are missing, the environment says them.
    ``identities`` are resource ids; without any the endpoint has an identity of its own. ``roles`` says what becomes of
    the roles that it needs: ``show`` prints the commands, ``assign`` gives them. ``mirror`` is the percent of live
    requests that a new deployment gets a copy of until it gets requests of its own.
    """

    subscription_id: str | None = None
    resource_group: str | None = None
    workspace: str | None = None
    location: str | None = None
    compute: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{1,63}$")] = "managed"
    instance_type: str | None = None
    description: str | None = None
    endpoint_description: str | None = None
    model: Annotated[str, AfterValidator(_model)] | None = None
    auth_mode: Literal["key", "aml_token", "aad_token"] = "key"
    identities: tuple[ResourceId, ...] = ()
    roles: Literal["skip", "show", "assign"] = "show"
    container_registry: ResourceId | None = None
    storage_account: ResourceId | None = None
    connection_secrets: bool = False
    public_network_access: bool = True
    egress_public_network_access: bool = True
    request_timeout_ms: Annotated[int, Field(ge=1, le=MOST_TIMEOUT_MS)] = 90_000
    max_concurrent_requests_per_instance: Annotated[int, Field(ge=1, le=10_000)] = 64
    max_queue_wait_ms: Annotated[int, Field(ge=0, le=MOST_TIMEOUT_MS)] | None = None
    liveness_probe: Probe = Probe()
    readiness_probe: Probe = Probe()
    scale: Scale | None = None
    app_insights: bool = False
    data_collector: DataCollection | None = None
    mirror: Annotated[int, Field(ge=0, le=50)] = 0

    @property
    def is_managed(self) -> bool:
        """Whether Azure runs the machines."""
        return self.compute == "managed"

    @model_validator(mode="after")
    def _fits_together(self) -> AzureMlOptions:
        for problem in self._problems():
            raise PydanticCustomError("azure_ml", "{why}", {"why": problem})
        return self

    def _problems(self) -> list[str]:
        found = []
        if self.is_managed and not self.instance_type:
            found.append("compute managed needs instance_type, such as Standard_DS3_v2")
        if self.is_managed and self.scale:
            found.append("scale is for Kubernetes; Azure Monitor scales managed deployments: az monitor autoscale")
        if self.scale and self.scale.min_instances > self.scale.max_instances:
            found.append("scale: min_instances is more than max_instances")
        if not self.is_managed and not (self.public_network_access and self.egress_public_network_access):
            found.append("networks of a Kubernetes endpoint are the cluster's: leave out public_network_access")
        if self.connection_secrets and self.identities:
            found.append("connection_secrets is for the endpoint's own identity: leave out identities, or give roles")
        return found
