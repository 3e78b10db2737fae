"""``flowyard monitor forget``"""

from __future__ import annotations

import click

from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.errors import NotFound, UserError
from flowyard.production.store.forget import count_unit, forget_unit, units_of_request
from flowyard.production.store.store import ProductionStore, open_production

__all__ = ["forget"]


@click.command()
@click.option("--unit", metavar="UNIT", help="As exposures name it: 'unit', a keyed hash.")
@click.option("--of-request", metavar="ID", help="Instead: the unit whose request had this id.")
@click.option("--yes", is_flag=True, help="Delete; without it, nothing is changed.")
@store_options
def forget(unit: str | None, of_request: str | None, yes: bool, home: str | None, as_json: bool) -> None:
    """Show, and with --yes delete, all records of one unit in the store: a user, or whatever the gateway splits by.

    Files of records, datasets and reports that were made of them stay: see docs/monitoring.md.
    """
    store = open_production(read_settings(home))
    name = _unit(store, unit, of_request)
    found = (forget_unit if yes else count_unit)(store, name)
    if not any(found.values()):
        raise NotFound(
            "The store has no records of that unit.", hint="Its name is 'unit' in the exposures of a gateway."
        )
    if as_json:
        print_json({"unit": name, "records": dict(found), "deleted": yes})
        return
    counts = ", ".join(f"{count:,} {kind}" for kind, count in found.items() if count)
    click.echo(f"{'Deleted' if yes else 'Would delete'} {counts}.")
    click.echo("Files of records, datasets and reports stay." if yes else "Nothing was changed; --yes deletes.")


def _unit(store: ProductionStore, unit: str | None, of_request: str | None) -> str:
    """The unit that is meant. Raises UserError, NotFound."""
    if (unit is None) == (of_request is None):
        raise UserError("Name the unit, or a request of it.", hint="--unit UNIT, or --of-request ID")
    units = [unit] if unit is not None else units_of_request(store, str(of_request))
    if not units:
        raise NotFound(f"No exposure has the request id {of_request!r}.", hint="Collect the gateway's exposures first.")
    if len(units) > 1:
        raise UserError(f"Requests of {len(units)} units have that id.", hint=f"--unit UNIT: {', '.join(units[:5])}")
    return units[0]
