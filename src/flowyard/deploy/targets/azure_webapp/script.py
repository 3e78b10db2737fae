"""The script and the page that go with the exported templates."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from flowyard.deploy.model import WantedDeployment
from flowyard.deploy.options.azure_webapp import AzureWebappOptions
from flowyard.deploy.targets.azure_webapp.place import WebappPlace

__all__ = ["readme_text", "script_text"]

_SCRIPT = """\
#!/usr/bin/env bash
# Deploys {label} to the slot 'next' of the web app, waits until it is healthy, and swaps it into production.
# Values of variables come from the environment: they are written to a file that only you can read, never to a command.
set -euo pipefail

: "${{IMAGE:={image}}}" # HOST/NAME@sha256:...
{needed}
app={app}
group={group}
plan={plan}
plan_group={plan_group}
subscription={subscription}
slot=next
here=$(cd "$(dirname "${{BASH_SOURCE[0]}}")" && pwd)
az() {{ command az "$@" --subscription "$subscription" --only-show-errors; }}

if [[ $IMAGE != *@sha256:* ]]; then
  echo "IMAGE names no digest: $IMAGE" >&2
  exit 2
fi
region=$(az appservice plan list --resource-group "$plan_group" --query "[?name=='$plan'].location" --output tsv)
make_plan=false
if [[ -z $region ]]; then
  make_plan=true
  if [[ $plan_group != "$group" ]]; then
    echo "There is no plan $plan in $plan_group; make it first" >&2
    exit 2
  fi
  region=${{REGION:-{region}}}
  [[ -n $region ]] || region=$(az group show --name "$group" --query location --output tsv)
fi

# A list, because an app that is only not seen must not be made anew.
if [[ $(az webapp list --resource-group "$group" --query "length([?name=='$app'])" --output tsv) == 0 ]]; then
  az deployment group create --resource-group "$group" --name "$app-endpoint" --output none \\
    --template-file "$here/endpoint.json" \\
    --parameters "region=$region" "image=$IMAGE" "makePlan=$make_plan"
fi

values=$(mktemp)
trap 'rm -f "$values"' EXIT
chmod 600 "$values"
python3 - {names} >"$values" <<'PYTHON'
import json, os, sys
given = {{f"setting_{{name}}": {{"value": os.environ[name]}} for name in sys.argv[1:]}}
schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#"
json.dump({{"$schema": schema, "contentVersion": "1.0.0.0", "parameters": given}}, sys.stdout)
PYTHON
host=$(az deployment group create --resource-group "$group" --name "$app-$slot" \\
  --template-file "$here/slot.json" --parameters "@$values" \\
  --parameters "region=$region" "image=$IMAGE" "slot=$slot" \\
  --query properties.outputs.host.value --output tsv)
{roles}
echo "Waiting until https://$host/health answers"
curl --fail --silent --show-error --output /dev/null \\
  --retry 120 --retry-delay 5 --retry-all-errors --retry-max-time {start_s:.0f} --max-time 30 "https://$host/health"
if [[ -n ${{SAMPLE_REQUEST:-}} ]]; then
  flowyard endpoint test --url "https://$host" --file "$SAMPLE_REQUEST"
fi

az webapp start --name "$app" --resource-group "$group" --output none
az webapp deployment slot swap --name "$app" --resource-group "$group" --slot "$slot" --target-slot production
production=$(az webapp show --name "$app" --resource-group "$group" --query defaultHostName --output tsv)
if ! curl --fail --silent --show-error --output /dev/null \\
  --retry 24 --retry-delay 5 --retry-all-errors --max-time 30 "https://$production/health"; then
  echo "Production does not answer; swapping back" >&2
  az webapp deployment slot swap --name "$app" --resource-group "$group" --slot "$slot" --target-slot production
  exit 1
fi
echo "https://$production/score"
"""

_ROLES_OF_SYSTEM = """
principal=$(az webapp identity show --name "$app" --resource-group "$group" --slot "$slot" \\
  --query principalId --output tsv)
production_principal=$(az webapp identity show --name "$app" --resource-group "$group" --query principalId --output tsv)
principals=("$principal" "$production_principal")
"""
_ROLES_OF_USER = """
principals=("$(az identity show --ids {identity} --query principalId --output tsv)")
"""
_REGISTRY_ROLE = """\
registry=$(az acr show --name {registry}{group} --query id --output tsv)
for each in "${{principals[@]}}"; do
  az role assignment create --assignee-object-id "$each" --assignee-principal-type ServicePrincipal \\
    --role AcrPull --scope "$registry" --output none
done
"""
_VAULT_ROLE = """\
vault=$(az keyvault show --name {vault} --query id --output tsv)
for each in "${{principals[@]}}"; do
  az role assignment create --assignee-object-id "$each" --assignee-principal-type ServicePrincipal \\
    --role "Key Vault Secrets User" --scope "$vault" --output none
done
"""

_README = """\
# {app}: {label} on App Service

`deploy.sh` makes the plan and the web app (`endpoint.json`, stopped and empty) if they are not there, makes the
deployment in the slot `next` (`slot.json`), waits until `/health` is 200, tests it, and swaps it into production. When
production does not answer afterwards, it swaps back. It can be run again at any time.

Needs `az` (logged in), `python3` and `curl`; for the test, `flowyard` and a file in `SAMPLE_REQUEST`. Whoever runs it
may write web apps (Website Contributor, Web Plan Contributor) and give roles (Role Based Access Control
Administrator); remove the lines with `az role assignment` where somebody else has given them.

    export IMAGE=HOST/NAME@sha256:...
{exports}    ./deploy.sh

| variable | from |
|---|---|
{rows}
To go back: `az webapp deployment slot swap --name {app} --resource-group {group} --slot next --target-slot production`.
"""


def script_text(wanted: WantedDeployment, place: WebappPlace, options: AzureWebappOptions, plain: Sequence[str]) -> str:
    """``deploy.sh``, for bash."""
    image = wanted.image.reference if wanted.image else ""
    needed = "".join(f': "${{{name}:?has to be set}}"\n' for name in plain)
    return _SCRIPT.format(
        label=wanted.version_label,
        image=image,
        needed=needed.rstrip("\n") + ("\nexport " + " ".join(plain) if plain else ""),
        app=shlex.quote(place.name),
        group=shlex.quote(place.group),
        plan=shlex.quote(place.plan),
        plan_group=shlex.quote(place.plan_group),
        subscription=shlex.quote(place.subscription),
        region=shlex.quote(options.region or ""),
        names=" ".join(plain),
        roles=_roles(place, options).strip("\n"),
        start_s=options.start_s,
    )


def readme_text(wanted: WantedDeployment, place: WebappPlace, options: AzureWebappOptions, plain: Sequence[str]) -> str:
    """``README.md``."""
    rows = [f"| `{name}` | the environment of `deploy.sh`, as a plain app setting |" for name in plain]
    rows += [f"| `{name}` | the key vault's secret `{secret}` |" for name, secret in options.secrets.items()]
    return _README.format(
        app=place.name,
        group=place.group,
        label=wanted.version_label,
        exports="".join(f"    export {name}=...\n" for name in plain),
        rows="".join(f"{row}\n" for row in rows),
    )


def _roles(place: WebappPlace, options: AzureWebappOptions) -> str:
    """Who may pull the image and read the secrets, where the options name the registry and the vault."""
    wanted = ""
    if options.registry:
        name = options.registry.partition(".")[0]
        inside = options.registry_resource_group
        group = f" --resource-group {shlex.quote(inside)}" if inside else ""
        wanted += _REGISTRY_ROLE.format(registry=shlex.quote(name), group=group)
    if options.secrets and options.key_vault and not options.key_vault.startswith("https://"):
        wanted += _VAULT_ROLE.format(vault=shlex.quote(options.key_vault))
    if not wanted:
        return ""
    who = _ROLES_OF_USER.format(identity=shlex.quote(place.identity)) if place.identity else _ROLES_OF_SYSTEM
    return who + wanted
