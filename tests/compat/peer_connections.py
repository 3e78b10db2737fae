"""Run in promptflow's own environment.

``store FILE…`` stores connection files in its database, with a keyring that is a file. ``run FOLDER OUT`` writes the
output of the flow in FOLDER for each value of its connections.json, as JSON.
"""

import json
import os
import sys
from pathlib import Path

import keyring
from keyring.backend import KeyringBackend


class FileKeyring(KeyringBackend):
    """Keeps passwords in one JSON file, as no keyring should."""

    priority = 1

    def get_password(self, service, username):
        file = Path(os.environ["KEYRING_FILE"])
        return json.loads(file.read_text()).get(f"{service}/{username}") if file.exists() else None

    def set_password(self, service, username, password):
        Path(os.environ["KEYRING_FILE"]).write_text(json.dumps({f"{service}/{username}": password}))


def store(files):
    from promptflow._sdk._load_functions import load_connection
    from promptflow.client import PFClient

    keyring.set_keyring(FileKeyring())
    client = PFClient()
    for file in files:
        client.connections.create_or_update(load_connection(file))


def run(folder, out):
    from promptflow.executor import FlowExecutor

    outputs = []
    for value in json.loads((folder / "connections.json").read_text("utf-8")):
        fields = {**value["configs"], **value["secrets"]}
        given = {"type": "CustomConnection", "module": "promptflow.connections", "value": fields}
        connections = {"my_tool": {**given, "secret_keys": list(value["secrets"])}}
        executor = FlowExecutor.create(folder / "flow.dag.yaml", connections, working_dir=folder)
        outputs.append(executor.exec_line({"x": "1"}).output["out"])
    out.write_text(json.dumps(outputs), "utf-8")


if __name__ == "__main__":
    if sys.argv[1] == "store":
        store(sys.argv[2:])
    else:
        run(Path(sys.argv[2]), Path(sys.argv[3]))
