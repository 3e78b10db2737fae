"""``flowyard gateway serve|status|weights|drain``"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from flowyard._util.event_loop import loop_factory
from flowyard._util.listen import serve_until_stopped
from flowyard._util.moments import moment_text
from flowyard._util.printable import printable_text
from flowyard.app import open_app
from flowyard.cli.lazy import WholeGroup
from flowyard.cli.shared.options import read_settings
from flowyard.cli.shared.output import print_json
from flowyard.errors import NotFound, OutsideError, UserError
from flowyard.gateway import ControlClient, Gateway, GatewaySettings, load_gateway_settings
from flowyard.gateway.gateway import CONTROL_ADDRESS
from flowyard.settings import Settings

__all__ = ["gateway"]

_LOOK_S = 0.2

F = TypeVar("F", bound=Callable[..., Any])


@click.group(cls=WholeGroup)
def gateway() -> None:
    """One address before deployments of a flow: split, mirror, change weights."""


def _config_options(command: F) -> F:
    config = click.option("--config", required=True, metavar="FILE", help="The gateway.yaml.")
    home = click.option("--home", metavar="DIR", help="Where runs are kept (default: .flowyard at the project's root).")
    return config(home(command))


_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON value on stdout.")
_reason = click.option("--reason", default="", metavar="TEXT", help="Why; kept with the epoch.")


@gateway.command()
@_config_options
@click.option("--ready-file", metavar="FILE", help="Write the address here once it answers.")
def serve(config: str, home: str | None, ready_file: str | None) -> None:
    """Serve until SIGINT or SIGTERM; what is under way then is finished."""
    settings, state = _read(config, home)
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(settings, state, Path(ready_file) if ready_file else None))


@gateway.command()
@_config_options
@click.option("--epochs", is_flag=True, help="List the epochs instead: each change of the weights.")
@_as_json
def status(config: str, home: str | None, epochs: bool, as_json: bool) -> None:
    """Show the weights that hold, and how each backend is."""
    control = _control(config, home)
    found = control.epochs() if epochs else control.state()
    if as_json:
        print_json(found)
    else:
        click.echo("\n".join(_epoch_line(each) for each in found) if isinstance(found, list) else _state_text(found))


@gateway.command()
@click.argument("weights", nargs=-1, required=True, metavar="BACKEND=WEIGHT…")
@_config_options
@_reason
@click.option("--epoch", type=int, metavar="N", help="Only while this epoch holds, so that nobody's change is undone.")
@_as_json
def weights(
    weights: tuple[str, ...], config: str, home: str | None, reason: str, epoch: int | None, as_json: bool
) -> None:
    """Change the weights at once, for all requests that begin; backends that are not named get none."""
    found = _control(config, home).set_weights(_parsed(weights), reason, epoch=epoch)
    print_json(found) if as_json else click.echo(_epoch_line(found))


@gateway.command()
@click.argument("backend")
@_config_options
@_reason
@click.option("--wait-s", type=click.FloatRange(0, 86400), default=60.0, show_default=True, help="0 does not wait.")
@_as_json
def drain(backend: str, config: str, home: str | None, reason: str, wait_s: float, as_json: bool) -> None:
    """Send nothing more to a backend, and wait until its requests have ended."""
    control = _control(config, home)
    found = _until_drained(control, backend, control.drain(backend, reason), wait_s)
    print_json(found) if as_json else click.echo(_state_text(found))


async def _serve(settings: GatewaySettings, state: Path, ready_file: Path | None) -> None:
    say = partial("{} on {}".format, settings.name)
    await serve_until_stopped(Gateway(settings, state), settings.host, settings.port, say=say, ready_file=ready_file)


def _read(config: str, home: str | None) -> tuple[GatewaySettings, Path]:
    """The settings, and the state folder."""
    if not Path(config).exists():
        hint = (
            "Name the file that is there, or have one written: flowyard ab init USECASE --control ENV --treatment ENV"
        )
        raise NotFound(f"There is no {config}.", hint=hint)
    own: Settings = read_settings(home)
    settings = load_gateway_settings(Path(config), open_app(own, Path(config)).environ)
    return settings, settings.state or own.home / "gateways" / settings.name


def _control(config: str, home: str | None) -> ControlClient:
    settings, state = _read(config, home)
    if settings.control is None:
        hint = "control: {listen: 127.0.0.1:8901, key: ${GATEWAY_KEY}}"
        raise UserError("This gateway has no control plane.", where=Path(config).name, hint=hint)
    try:
        url = (state / CONTROL_ADDRESS).read_text("utf-8").strip()
    except OSError:
        if not settings.control.port:
            raise OutsideError(f"The gateway {settings.name} does not run here.") from None
        host = settings.control.host
        url = f"http://{f'[{host}]' if ':' in host else host}:{settings.control.port}"
    return ControlClient(url, settings.control.key)


def _parsed(given: tuple[str, ...]) -> dict[str, float]:
    found: dict[str, float] = {}
    for each in given:
        name, _, value = each.partition("=")
        try:
            weight = float(value)
        except ValueError:
            raise UserError(f"{each!r} is no weight.", hint="Write them as a=90 b=10.") from None
        if name in found:
            raise UserError(f"{name} is given twice.")
        found[name] = weight
    return found


def _until_drained(control: ControlClient, backend: str, found: dict[str, Any], wait_s: float) -> dict[str, Any]:
    until = time.monotonic() + wait_s
    while found["backends"][backend]["under_way"] and wait_s:
        if time.monotonic() > until:
            left = found["backends"][backend]["under_way"]
            raise OutsideError(f"{backend} gets nothing more, but {left} requests are under way after {wait_s:g} s.")
        time.sleep(_LOOK_S)
        found = control.state()
    return found


def _epoch_line(epoch: dict[str, Any]) -> str:
    shares = " ".join(f"{name}={weight:g}" for name, weight in epoch["weights"].items())
    reason = f"  {printable_text(epoch['reason'])}" if epoch["reason"] else ""
    return f"epoch {epoch['epoch']}  {moment_text(epoch['at'])}  {shares}{reason}"


def _state_text(state: dict[str, Any]) -> str:
    lines = [f"{state['name']}  {_epoch_line(state)}"]
    for name, each in state["backends"].items():
        words = [each["breaker"], "healthy" if each["healthy"] else "not healthy", "drained" if each["drained"] else ""]
        counts = f"{each['requests']:,} requests, {each['errors']:,} errors, {each['under_way']:,} under way"
        lines += [
            f"  {name:12} {each['weight']:>6g}  {printable_text(each['url'])}  {', '.join(filter(None, words))}",
            f"  {'':12} {'':>6}  {counts}",
        ]
        if each["last_failure"]:
            lines.append(f"  {'':12} {'':>6}  last failure: {printable_text(each['last_failure'])}")
    if state["mirror"]:
        mirror = state["mirror"]
        lines.append(
            f"  copies to {mirror['to']}: {mirror['sent']} sent, {mirror['dropped']} dropped, {mirror['waiting']} wait"
        )
    return "\n".join(lines)
