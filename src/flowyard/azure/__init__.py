"""Azure's management API and blob storage over REST: what registries, deployments and vaults need of them, no more."""

from flowyard.azure.arm import ArmClient, ArmReply, arm_path
from flowyard.azure.cloud import AzureCloud
from flowyard.azure.credentials import TokenProvider, open_tokens
from flowyard.azure.errors import AzureConflict, AzureDenied, AzureError, AzureNotFound, AzureThrottled
from flowyard.azure.session import open_http

__all__ = [
    "ArmClient",
    "ArmReply",
    "AzureCloud",
    "AzureConflict",
    "AzureDenied",
    "AzureError",
    "AzureNotFound",
    "AzureThrottled",
    "TokenProvider",
    "arm_path",
    "open_http",
    "open_tokens",
]
