"""``flowyard ab export``"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import click

from flowyard._util.durations import parse_duration
from flowyard._util.files import write_atomic
from flowyard.ab.argo import ArgoPlace, argo_objects, require_argo_name
from flowyard.ab.policy.file import find_policy
from flowyard.cli.shared.output import print_json, print_warnings
from flowyard.deploy.targets.kubernetes.export import as_yaml
from flowyard.errors import Conflict, UserError

__all__ = ["export"]

_ADDRESS = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+(/[A-Za-z0-9._~/-]*)?")
_SECRET = re.compile(r"([a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?)/([-._a-zA-Z0-9]{1,253})")
_WORKLOAD = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_./]{0,200})=([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)")


@click.command()
@click.argument("kind", type=click.Choice(["argo"]))
@click.argument("path", metavar="USECASE")
@click.option("--out", required=True, metavar="DIR", help="A new or empty folder.")
@click.option("--address", required=True, metavar="URL", help="Where Argo Rollouts reaches `flowyard ab serve`.")
@click.option("--secret", required=True, metavar="NAME/KEY", help="The Secret with the key of `flowyard ab serve`.")
@click.option("--workload", required=True, metavar="NAME", help="The Deployment whose pods serve the flow.")
@click.option("--selector", multiple=True, metavar="LABEL=VALUE", help="Labels of its pods (default: app=WORKLOAD).")
@click.option("--name", metavar="NAME", help="What the objects are called (default: the test's name).")
@click.option("--replicas", type=click.IntRange(1, 1000), default=2, show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="The port of a pod.")
@click.option(
    "--interval", default="1m", show_default=True, metavar="TIME", help="How often the decision is asked for."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value on stdout.")
def export(
    kind: str,
    path: str,
    out: str,
    address: str,
    secret: str,
    workload: str,
    selector: tuple[str, ...],
    name: str | None,
    replicas: int,
    port: int,
    interval: str,
    as_json: bool,
) -> None:
    """Write the objects with which Argo Rollouts waits for the decision of the test of USECASE."""
    del kind
    policy = find_policy(Path(path))
    place = ArgoPlace(
        name=require_argo_name(name or policy.name),
        address=_matching("--address", _ADDRESS, address)[0].rstrip("/"),
        secret=_matching("--secret", _SECRET, secret)[1],
        key=_matching("--secret", _SECRET, secret)[2],
        workload=_matching("--workload", _WORKLOAD, workload)[0],
        selector=_labels(selector) or {"app": workload},
        port=port,
        replicas=replicas,
        interval=_interval(interval),
    )
    if policy.split is None or policy.split.gateway is None:
        print_warnings(
            ["Argo's weights are shares of pods. Split the requests by a gateway: split: {gateway: URL, key: …}"]
        )
    texts = {f"{_file(each)}.yaml": as_yaml(each) for each in argo_objects(policy, place)}
    files = _write(Path(out), texts)
    print_json([str(file) for file in files]) if as_json else click.echo("\n".join(f"Wrote {file}" for file in files))


def _file(manifest: Mapping[str, object]) -> str:
    metadata = manifest["metadata"]
    assert isinstance(metadata, Mapping)
    return f"{str(manifest['kind']).lower()}-{metadata['name']}"


def _write(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"There is something in {folder}.", hint="Name a new or an empty folder.")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_atomic(folder / name, text)
    return [folder / name for name in texts]


def _matching(option: str, form: re.Pattern[str], given: str) -> re.Match[str]:
    found = form.fullmatch(given)
    if found is None:  # what was given is not repeated: an address may have a password in it
        raise UserError(f"{option} cannot be used as it is given.", hint="flowyard ab export --help shows its form.")
    return found


def _labels(given: tuple[str, ...]) -> dict[str, str]:
    found = [_matching("--selector", _LABEL, each) for each in given]
    return {each[1]: each[2] for each in found}


def _interval(given: str) -> timedelta:
    try:
        found = parse_duration(given)
    except ValueError as error:
        raise UserError(f"--interval: {error}.", hint="--interval 1m") from None
    if not timedelta(seconds=1) <= found <= timedelta(hours=1):
        raise UserError("--interval is 1 s to 1 h.", hint="--interval 1m")
    return found
