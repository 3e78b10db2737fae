"""The same deployment for people who use ``az``: a template of the slot, and a script that tests and swaps it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flowyard.deploy.model import PUBLIC_VARIABLES, WantedDeployment
from flowyard.deploy.options.azure_webapp import AzureWebappOptions
from flowyard.deploy.targets.azure_webapp.app_settings import KEY_VARIABLE, deployment_settings
from flowyard.deploy.targets.azure_webapp.bodies import plan_body, site_body
from flowyard.deploy.targets.azure_webapp.place import WebappPlace
from flowyard.deploy.targets.azure_webapp.script import readme_text, script_text
from flowyard.deploy.targets.azure_webapp.web_api import IDENTITY_VERSION, WEB_VERSION
from flowyard.errors import Conflict, UserError

__all__ = ["write_export"]

_SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
_SHELL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HIDDEN = "value of the environment"


def write_export(
    wanted: WantedDeployment,
    place: WebappPlace,
    options: AzureWebappOptions,
    environ: Mapping[str, str],
    folder: Path,
) -> Sequence[Path]:
    """Write ``deploy.sh``, ``endpoint.json``, ``slot.json`` and ``README.md``. Raises Conflict for a used folder."""
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"There is something in {folder}.", hint="Name a new or an empty folder.")
    given_elsewhere = {*options.secrets, *PUBLIC_VARIABLES}
    plain = list(dict.fromkeys(name for name in (*wanted.variables, KEY_VARIABLE) if name not in given_elsewhere))
    _require_shell_names(plain)
    settings = deployment_settings(wanted, options, {KEY_VARIABLE: _HIDDEN, **environ})
    settings = {name: _literal(value) for name, value in {**settings, **options.slot_settings.next}.items()}
    settings |= {name: f"[parameters('setting_{name}')]" for name in plain}
    files = {
        "deploy.sh": script_text(wanted, place, options, plain),
        "endpoint.json": _as_json(_endpoint_template(wanted, place, options)),
        "slot.json": _as_json(_slot_template(place, settings, plain)),
        "README.md": readme_text(wanted, place, options, plain),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "deploy.sh").chmod(0o755)
    return [folder / name for name in files]


def _endpoint_template(wanted: WantedDeployment, place: WebappPlace, options: AzureWebappOptions) -> dict[str, Any]:
    """The plan, unless it is there, and the web app, stopped and empty; to be used once."""
    plan = plan_body(place.name, "[parameters('region')]", "[parameters('sku')]", wanted.instances)
    sticky = options.slot_settings
    site = _site(place, {name: _literal(value) for name, value in sticky.production.items()}, runs=False)
    parameters = {
        **{name: {"type": "string"} for name in ("region", "image")},
        "sku": {"type": "string", "defaultValue": options.sku or "S1"},
        "makePlan": {"type": "bool"},
    }
    resources: list[dict[str, Any]] = [
        {
            "condition": "[parameters('makePlan')]",
            "type": "Microsoft.Web/serverfarms",
            "apiVersion": WEB_VERSION,
            "name": place.plan,
            **plan,
        },
        {
            "type": "Microsoft.Web/sites",
            "apiVersion": WEB_VERSION,
            "name": place.name,
            **site,
            "dependsOn": [f"[resourceId('Microsoft.Web/serverfarms', '{place.plan}')]"],
        },
    ]
    names = sorted({*sticky.production, *sticky.next})
    if names:
        resources.append(
            {
                "type": "Microsoft.Web/sites/config",
                "apiVersion": WEB_VERSION,
                "name": f"{place.name}/slotConfigNames",
                "properties": {"appSettingNames": names},
                "dependsOn": [f"[resourceId('Microsoft.Web/sites', '{place.name}')]"],
            }
        )
    return _template(parameters, resources)


def _slot_template(place: WebappPlace, settings: Mapping[str, str], plain: Sequence[str]) -> dict[str, Any]:
    """One deployment in a slot; what may be secret comes as a secure parameter."""
    parameters = {name: {"type": "string"} for name in ("region", "image", "slot")}
    secure = {f"setting_{name}": {"type": "secureString"} for name in plain}
    slot = {
        "type": "Microsoft.Web/sites/slots",
        "apiVersion": WEB_VERSION,
        "name": f"[format('{place.name}/{{0}}', parameters('slot'))]",
        **_site(place, settings, runs=True),
    }
    host = f"[reference(resourceId('Microsoft.Web/sites/slots', '{place.name}', parameters('slot'))).defaultHostName]"
    return {**_template({**parameters, **secure}, [slot]), "outputs": {"host": {"type": "string", "value": host}}}


def _site(place: WebappPlace, settings: Mapping[str, str], *, runs: bool) -> dict[str, Any]:
    client = f"[reference('{place.identity}', '{IDENTITY_VERSION}').clientId]" if place.identity else None
    container = "[format('DOCKER|{0}', parameters('image'))]"
    region = "[parameters('region')]"
    identity = (place.identity, client)
    return site_body(place.name, region, place.plan_path, identity, container, settings, runs=runs)


def _template(parameters: Mapping[str, Any], resources: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"$schema": _SCHEMA, "contentVersion": "1.0.0.0", "parameters": parameters, "resources": list(resources)}


def _require_shell_names(names: Sequence[str]) -> None:
    """Raises UserError for a variable that a script cannot take from its environment."""
    wrong = [name for name in names if not _SHELL_NAME.fullmatch(name)]
    if wrong:
        raise UserError(f"{wrong[0]!r} cannot be a variable of a script.", hint="Letters, digits and '_' only.")


def _literal(value: str) -> str:
    """A text that a template takes as it is; with a bracket first it would be an expression."""
    return f"[{value}" if value.startswith("[") else value


def _as_json(body: Mapping[str, Any]) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"
