"""``flowyard approval serve`` and ``flowyard approval link``"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import click

from flowyard._util.listen import is_loopback, listen_until_stopped
from flowyard._util.printable import printable_text
from flowyard.approval.announce import link_claimant
from flowyard.approval.link_place import PAGE_VARIABLE, LinkPlace, check_page_url, open_signer
from flowyard.approval.open import approval_key, open_desk
from flowyard.approval.page import make_approval_app
from flowyard.approval.page_guard import PageAddress
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.errors import UserError

__all__ = ["link", "serve"]

_public_url = click.option(
    "--public-url", metavar="URL", envvar=PAGE_VARIABLE, help=f"Where people reach the page ({PAGE_VARIABLE})."
)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes a free one.")
@_public_url
@click.option("--ready-file", metavar="FILE", help="Write the address here once it answers.")
@click.option("--home", metavar="DIR", help="Where runs are kept (default: .flowyard at the project's root).")
def serve(host: str, port: int, public_url: str | None, ready_file: str | None, home: str | None) -> None:
    """Serve the page on which people approve and reject by a link."""
    if public_url is None and not is_loopback(host):
        hint = f"--public-url https://…, or {PAGE_VARIABLE}; a proxy in front of it has to speak https."
        raise UserError(f"On {host} the page has to know under which address people reach it.", hint=hint)
    settings = read_settings(home)
    address = PageAddress(check_page_url(public_url, "--public-url") if public_url else None)
    app = make_approval_app(open_desk(settings), open_signer(approval_key(settings)), address, _complain)
    listening = listen_until_stopped(
        app, host, port, say=_ready_text, ready_file=Path(ready_file) if ready_file else None
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(listening)


@click.command()
@click.argument("request_id", metavar="ID")
@click.option("--for", "person", required=True, metavar="NAME", help="Who answers with it.")
@_public_url
@store_options
def link(request_id: str, person: str, public_url: str | None, home: str | None, as_json: bool) -> None:
    """Print a link with which one person can answer a request once."""
    if not public_url:
        raise UserError("A link needs the address of the page.", hint=f"--public-url https://…, or {PAGE_VARIABLE}")
    settings = read_settings(home)
    request = open_desk(settings).get(request_id).request
    approver = link_claimant(request, person)
    if approver is None:
        raise UserError(f"{person} may not approve {request_id}.", hint=f"flowyard approval show {request_id}")
    place = LinkPlace(check_page_url(public_url, "--public-url"), open_signer(approval_key(settings)))
    made = place.link(request, approver, "answer")
    if as_json:
        print_json({"request": request_id, "for": approver, "url": made.url, "expires_at": request.expires_at})
    else:
        click.echo(made.url)


def _ready_text(url: str) -> str:
    return f"People answer at {url}/answer/… with the links that they are sent. Ctrl-C stops."


def _complain(text: str) -> None:
    click.echo(f"Warning: {printable_text(text)}", err=True)
