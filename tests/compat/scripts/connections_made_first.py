"""Connections made where the script needs them, then flows that use them."""

import json
import os

from promptflow.client import PFClient
from promptflow.entities import AzureOpenAIConnection, CustomConnection, OpenAIConnection


def show(*values):
    print("RESULT", json.dumps(values, sort_keys=True))


def main():
    pf = PFClient()
    try:
        pf.connections.get("my_settings")
    except Exception as error:
        show(type(error).__name__)
    made = pf.connections.create_or_update(
        CustomConnection(name="my_settings", secrets={"token": "t0ken"}, configs={"region": "north"})
    )
    show(made.name, made.configs, "t0ken" in str(made))
    pf.connections.create_or_update(
        AzureOpenAIConnection(name="my_azure", api_key="first", api_base="https://x.example", api_version="2024-02-01")
    )
    pf.connections.create_or_update(AzureOpenAIConnection(name="my_azure", api_key="k3y", api_base="https://y.example"))
    pf.connections.create_or_update(
        OpenAIConnection(name="my_openai", api_key="none", base_url=os.environ["MODEL_URL"])
    )
    found = pf.connections.get(name="my_azure")
    show(found.api_base, found.api_version, found.name)
    show(sorted(connection.name for connection in pf.connections.list()))
    show(pf.test(flow="flows/settings", inputs={"name": "Ada"}))
    show(pf.test(flow="flows/settings", node="read", inputs={"name": "Node"}))
    show(pf.flows.test("flows/ask", inputs={"question": "What is the capital of France?"}))
    pf.connections.delete("my_settings")
    try:
        pf.test(flow="flows/settings", inputs={"name": "Ada"})
    except Exception as error:
        show("my_settings" in str(error))


if __name__ == "__main__":
    main()
