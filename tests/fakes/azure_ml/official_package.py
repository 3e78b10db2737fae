"""Run by the Python that has azure-ai-ml: does with the official package what standard input says, one JSON object.

``address`` and ``token`` lead to the server; ``assets`` have ``kind``, ``name``, ``path``, ``type``, ``description``
and ``properties``. With ``account`` it makes a signature of a container instead. With ``files`` it loads an endpoint, a
deployment and an environment from that folder, and answers the bodies that it would send.
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


def bodies(order):
    from pathlib import Path

    from azure.ai.ml import load_environment, load_online_deployment, load_online_endpoint

    folder = Path(order["files"])
    endpoint = load_online_endpoint(folder / "endpoint.yaml")._to_rest_online_endpoint(order["location"])
    deployment = load_online_deployment(folder / "deployment.yaml")._to_rest_object(location=order["location"])
    environment = load_environment(folder / "environment.yaml")._to_rest_object()
    made = {"endpoint": endpoint, "deployment": deployment, "environment": environment}
    return {name: each.serialize() if hasattr(each, "serialize") else each.as_dict() for name, each in made.items()}


logging.disable(logging.WARNING)
order = json.load(sys.stdin)
kinds = {"account": signature, "files": bodies}
work = next((kinds[each] for each in kinds if each in order), register)
print(json.dumps(work(order)))
