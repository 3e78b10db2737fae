"""Run by the Python that has azure-ai-ml: does with the official package what standard input says, one JSON object.

``address`` and ``token`` lead to the server; ``assets`` have ``kind``, ``name``, ``path``, ``type``, ``description``
and ``properties``. With ``account`` it makes a signature of a container instead.
"""

import json
import logging
import sys
from datetime import datetime, timedelta


class Login:
    def __init__(self, token):
        self._token = token

    def get_token(self, *scopes, **options):
        from azure.core.credentials import AccessToken

        return AccessToken(self._token, int(datetime.now().timestamp()) + 3600)


def register(order):
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import Data, Model

    metadata = {
        "azure_portal": order["address"],
        "resource_manager": order["address"],
        "active_directory": order["address"],
        "aml_resource_id": order["address"],
        "storage_endpoint": "core.windows.net",
        "registry_discovery_endpoint": order["address"],
    }
    client = MLClient(
        Login(order["token"]),
        order["subscription"],
        order["group"],
        order["workspace"],
        cloud="stand-in",
        cloud_metadata=metadata,
        enable_telemetry=False,
    )
    made = []
    for asset in order["assets"]:
        entity, operations = (Data, client.data) if asset.pop("kind") == "dataset" else (Model, client.models)
        made.append(operations.create_or_update(entity(**asset)).version)
    return made


def signature(order):
    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    now = datetime.fromisoformat(order["now"])
    return generate_container_sas(
        order["account"],
        order["container"],
        account_key=order["key"],
        permission=ContainerSasPermissions(read=True, create=True, write=True, list=True),
        start=now - timedelta(minutes=15),
        expiry=now + timedelta(hours=12),
        protocol="https",
    )


logging.disable(logging.WARNING)
order = json.load(sys.stdin)
work = signature if "account" in order else register
print(json.dumps(work(order)))
