"""Run by the Python that has azure-identity: logs in by the environment and says what came of it; logs everything."""

import asyncio
import json
import logging
import os
import sys

from flowyard.azure.credentials import IdentityTokens, open_tokens
from flowyard.errors import FlowyardError


def official():
    """The class of azure-identity for service connections."""
    from azure.identity import AzurePipelinesCredential

    return AzurePipelinesCredential(
        tenant_id=os.environ["AZURESUBSCRIPTION_TENANT_ID"],
        client_id=os.environ["AZURESUBSCRIPTION_CLIENT_ID"],
        service_connection_id=os.environ["AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"],
        system_access_token=os.environ["SYSTEM_ACCESSTOKEN"],
        authority=os.environ["AZURE_AUTHORITY_HOST"],
    )


logging.basicConfig(level=logging.DEBUG)
tokens = IdentityTokens(official) if os.environ.get("OFFICIAL") else open_tokens(dict(os.environ))
try:
    print(json.dumps({"token": asyncio.run(tokens.token(sys.argv[1])), "way": tokens.way}))
except FlowyardError as error:
    print(json.dumps({"error": error.message, "hint": error.hint}))
