"""Commands for the workspace's connections. A secret goes from the vault or a variable into a file that is deleted.

``printf`` is part of sh, so what it prints stands in no list of processes; nor does what ``az`` prints into a file.
"""

from __future__ import annotations

import json
import re

from flowyard.azure.setup.order import SetupOrder
from flowyard.azure.setup.words import Command, Step, Variable, Word

__all__ = ["connection_step"]

_AS_JSON = r"""sed 's/[\\"]/\\&/g; s/^/"/; s/$/"/'"""


def connection_step(order: SetupOrder, name: str) -> Step:
    """A connection to Azure OpenAI under that name."""
    prefix = re.sub(r"\W", "_", name, flags=re.ASCII).upper()
    prefix = prefix if re.match(r"[A-Z_]", prefix) else f"_{prefix}"
    variables = [f'"${{{prefix}_API_BASE:?}}"', *([] if order.key_vault else [f'"${{{prefix}_API_KEY:?}}"'])]
    place: tuple[Word, ...] = (
        "--subscription",
        Variable("subscription"),
        "--resource-group",
        Variable("resource_group"),
    )
    create = ("az", "ml", "connection", "create", *place, "--workspace-name", Variable("workspace"))
    lines = (
        f": {' '.join(variables)}",  # one that is missing ends the script here, and not only a pipe
        "{",
        f"  {_printed('name: ' + json.dumps(name, ensure_ascii=False))}",
        "  printf '%s\\n' 'type: azure_open_ai'",
        f"  printf 'azure_endpoint: '; printf '%s' {variables[0]} | {_AS_JSON}; echo",
        "  printf 'api_key: '",
        f"  {_key(order, name, prefix)}",
        '} > "$work_file"',
    )
    return Step(
        f"the connection {name}",
        f"Change the type where it is not Azure OpenAI. {prefix}_API_BASE is where the model is."
        + _where_the_key_is(order, prefix),
        ("\n".join(lines), Command((*create, "--file", Variable("work_file"), "--output", "none")), ': > "$work_file"'),
    )


def _key(order: SetupOrder, name: str, prefix: str) -> str:
    if order.key_vault is None:
        return f"printf '%s' \"${{{prefix}_API_KEY:?}}\" | {_AS_JSON}; echo"
    secret = f"{re.sub(r'[^A-Za-z0-9-]', '-', name)}--api-key"
    words = ("az", "keyvault", "secret", "show", "--vault-name", order.key_vault, "--name", secret)
    return Command((*words, "--query", "value", "--output", "json")).text().replace("\n", "\n  ")


def _where_the_key_is(order: SetupOrder, prefix: str) -> str:
    if order.key_vault is None:
        return f"\n{prefix}_API_KEY is its key; with --key-vault it is read from there."
    return (
        "\nIts key got into the vault once by: az keyvault secret set --file FILE, not --value, which others can see."
    )


def _printed(text: str) -> str:
    return Command(("printf", r"%s\n", text)).text()
