"""``flowyard connection``"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import click

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.app import open_app
from flowyard.cli.connection.values import SetValues, read_set_values
from flowyard.cli.lazy import WholeGroup
from flowyard.cli.shared.options import SpreadCommand, read_settings, user_options
from flowyard.cli.shared.output import print_json, print_warnings
from flowyard.cli.shared.tables import print_table
from flowyard.errors import NotFound, OutsideError, UserError
from flowyard.llm import Connection, Connections, ConnectionStore
from flowyard.llm.connection_draft import Draft, draft_of, read_draft
from flowyard.llm.connection_import import import_connections
from flowyard.llm.connection_view import connection_view
from flowyard.llm.connections import FoundConnection
from flowyard.llm.stored_entry import SecretsIn

__all__ = ["connection"]

_SET = "A field: api_base=…  A secret: api_key=@- (stdin), @FILE or '${env:NAME}'."

_MAKE_ONE = "Make one: flowyard connection create --file CONNECTION.yaml"


@click.group(cls=WholeGroup)
def connection() -> None:
    """Create, change, list, show and delete connections. Secrets are in the keyring or encrypted, and never shown."""


@connection.command(cls=SpreadCommand)
@click.option("-f", "--file", required=True, metavar="FILE", help="A connection's .yaml, or an .env file of secrets.")
@click.option("-n", "--name", metavar="NAME", help="The connection's name (default: the one in the file).")
@click.option("--set", "sets", multiple=True, metavar="k=v…", help=_SET)
@user_options
def create(file: str, name: str | None, sets: tuple[str, ...], home: str | None, as_json: bool) -> None:
    """Store a connection; one of the same name and type is replaced, and placeholders keep its secrets."""
    store = open_app(read_settings(home)).connection_store()
    given = read_set_values(sets)
    draft = read_draft(Path(file)).with_set(given.values)
    name = _require_name(name or draft.name)
    existing = store.stored(name)
    kept = draft_of(existing) if existing else None
    _warn_of_plain(given, draft)
    ready = draft.with_values(_ask(name, draft.open_secrets(kept.values if kept else ())))

    def edit(current: Connection | None) -> Connection:
        return (ready.completed(draft_of(current)) if current else ready).build(name)

    edit(existing)  # says what is wrong before anything is written
    made = store.change(name, edit)
    _print_stored(made, store, "Updated" if existing else "Created", as_json=as_json)


@connection.command(cls=SpreadCommand)
@click.option("-n", "--name", required=True, metavar="NAME")
@click.option("-f", "--file", metavar="FILE", help="Take new values from a connection's .yaml or an .env file.")
@click.option("--set", "sets", multiple=True, metavar="k=v…", help=_SET)
@user_options
def update(name: str, file: str | None, sets: tuple[str, ...], home: str | None, as_json: bool) -> None:
    """Change fields of a stored connection; what is not named stays, and so does a secret given as ******."""
    app = open_app(read_settings(home))
    store = app.connection_store()
    given = read_set_values(sets)
    if not given.values and file is None:
        raise UserError("There is nothing to change.", hint="Give --set FIELD=VALUE or --file FILE.")

    def changed(current: Connection | None) -> Draft:
        if current is None:
            raise _not_stored(name, app.connections())
        draft = draft_of(current)
        if file is not None:
            draft = read_draft(Path(file), draft.kind).over(draft)
        return draft.with_set(given.values)

    draft = changed(store.stored(name))
    _warn_of_plain(given, draft)
    answers = _ask(name, draft.open_secrets())
    draft.with_values(answers).build(name)  # says what is wrong before anything is written
    made = store.change(name, lambda current: changed(current).with_values(answers).build(name))
    _print_stored(made, store, "Updated", as_json=as_json)


@connection.command()
@click.option("-n", "--name", required=True, metavar="NAME")
@click.option("--env-file", metavar="FILE", help="Look into this .env file, too.")
@user_options
def show(name: str, env_file: str | None, home: str | None, as_json: bool) -> None:
    """Show one connection and where it comes from, its secrets as ******."""
    app = open_app(read_settings(home, env_file))
    connections = app.connections()
    found = connections.find(name)
    if found is None:
        raise _not_stored(name, connections)
    _print(connection_view(found.connection, found.origin, _secrets_in(app.connection_store(), found)), as_json=as_json)


@connection.command("list")
@click.option("-r", "--max-results", type=click.IntRange(1), default=50, show_default=True)
@click.option("--all-results", is_flag=True, help="List every connection.")
@click.option("--env-file", metavar="FILE", help="Look into this .env file, too.")
@user_options
def list_(max_results: int, all_results: bool, env_file: str | None, home: str | None, as_json: bool) -> None:
    """List the connections that are known here, and where each comes from."""
    app = open_app(read_settings(home, env_file))
    connections = app.connections()
    names = list(islice(connections.names(), None if all_results else max_results))
    views = [_view_or_problem(connections, app.connection_store(), name) for name in names]
    if as_json:
        print_json(views)
    elif not views:
        click.echo(f"No connections. {_MAKE_ONE}")
    else:
        columns = {"name": "name", "type": "type", "origin": "from", "secrets_in": "secrets in", "problem": "problem"}
        used = [key for key in columns if key in ("name", "type", "origin") or any(view.get(key) for view in views)]
        print_table([columns[key] for key in used], [[view.get(key) or "" for key in used] for view in views])


@connection.command()
@click.option("--to", type=click.Choice(["keyring", "file"]), required=True, help="Where the secrets shall be.")
@click.option("-n", "--name", "named", multiple=True, metavar="NAME", help="A stored connection; repeat for more.")
@click.option("--all", "everything", is_flag=True, help="All stored connections.")
@user_options
def move(to: SecretsIn, named: tuple[str, ...], everything: bool, home: str | None, as_json: bool) -> None:
    """Move the secrets of stored connections into the keyring, or into the encrypted file."""
    store = open_app(read_settings(home)).connection_store()
    if everything == bool(named):
        raise UserError("Say which connections to move.", hint="Give --name NAME, or --all.")
    moved = [name for name in (named or store.names()) if store.move(name, to)]
    print_warnings(store.warnings)
    if as_json:
        print_json({"moved": moved, "to": to})
    else:
        click.echo(f"Moved: {', '.join(moved) or 'nothing, there was nothing elsewhere'}.")


@connection.command()
@click.option("-n", "--name", required=True, metavar="NAME")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@user_options
def delete(name: str, yes: bool, home: str | None, as_json: bool) -> None:
    """Delete a stored connection."""
    app = open_app(read_settings(home))
    store = app.connection_store()
    if name not in store.names():
        raise _not_stored(name, app.connections())
    if not yes:
        if not sys.stdin.isatty():
            raise UserError("Deleting asks first, and there is no terminal to ask on.", hint="Add --yes.")
        click.confirm(f"Delete connection {name!r}?", abort=True, err=True)
    store.delete(name)
    print_warnings(store.warnings)
    if as_json:
        print_json({"name": name, "deleted": True})
    else:
        click.echo(f"Deleted {name}.")


@connection.command("import")
@click.option("--from", "source", metavar="FILE", help="prompt flow's database (default: ~/.promptflow/pf.sqlite).")
@click.option("--overwrite", is_flag=True, help="Replace connections that are stored here already.")
@user_options
def import_(source: str | None, overwrite: bool, home: str | None, as_json: bool) -> None:
    """Take over prompt flow's local connections, with their secrets when its key is in this machine's keyring."""
    store = open_app(read_settings(home)).connection_store()
    file = Path(source) if source else Path.home() / ".promptflow" / "pf.sqlite"
    result = import_connections(file, store, overwrite=overwrite)
    print_warnings(result.warnings)
    if as_json:
        print_json({"imported": result.imported, "skipped": result.skipped, "commands": result.commands})
        return
    click.echo(f"Imported: {', '.join(result.imported) or 'nothing'}.")
    if result.skipped:
        click.echo(f"Already stored, left as they are (--overwrite replaces them): {', '.join(result.skipped)}.")
    if result.commands:
        click.echo("Their secrets could not be read. Set them, each on stdin:")
        click.echo("\n".join(f"  {command}" for command in result.commands))


def _require_name(name: str | None) -> str:
    if name is None:
        raise UserError("The connection has no name.", hint="Give --name NAME.")
    if not name.strip() or name != name.strip() or not name.isprintable() or len(name) > 200:
        raise UserError(f"{name!r} cannot be a connection's name.", hint="Use up to 200 letters, digits and signs.")
    return name


def _ask(name: str, paths: Iterable[str]) -> dict[str, str]:
    """The secrets at these paths, typed without echo. Raises UserError when there is no terminal."""
    wanted = list(paths)
    if wanted and not sys.stdin.isatty():
        raise UserError(
            f"Connection {name!r} needs a value for {', '.join(wanted)}, and there is no terminal to ask on.",
            hint=f"Give it on stdin with --set {wanted[0]}=@-, or as {wanted[0]}=@FILE or {wanted[0]}='${{env:NAME}}'.",
        )
    return {path: click.prompt(f"{path} of {name}", hide_input=True, err=True) for path in wanted}


def _warn_of_plain(given: SetValues, draft: Draft) -> None:
    seen = [key for key in given.plain if draft.is_secret(draft.path(key))]
    if seen:
        print_warnings(
            [
                f"The value of {', '.join(seen)} was on the command line, where process lists and your shell's history "
                f"show it. Next time: --set {seen[0]}=@- (stdin), {seen[0]}=@FILE or {seen[0]}='${{env:NAME}}'."
            ]
        )


def _not_stored(name: str, connections: Connections) -> NotFound:
    origins = connections.origins(name)
    if origins:
        return NotFound(f"Connection {name!r} is not in the local store; it comes from: {', '.join(origins)}.")
    known = list(connections.names())
    others = f"Known: {known_names(known)}." if known else _MAKE_ONE
    return NotFound(f"There is no connection {name!r}.", hint=did_you_mean(name, known) or others)


def _view_or_problem(connections: Connections, store: ConnectionStore, name: str) -> dict[str, Any]:
    try:
        found = connections.find(name)
    except (UserError, OutsideError) as error:
        origins = ", ".join(connections.origins(name))
        problem = {"name": name, "type": None, "origin": origins, "secrets_in": None, "problem": str(error)}
        return problem | {"secrets_in": store.secrets_in(name)} if origins == store.label else problem
    assert found is not None
    return connection_view(found.connection, found.origin, _secrets_in(store, found))


def _secrets_in(store: ConnectionStore, found: FoundConnection) -> SecretsIn | None:
    """Where a stored connection's secrets are; None for one from elsewhere, whose origin says it."""
    stored = found.origin.partition(",")[0] == store.label
    return store.secrets_in(str(found.connection.name)) if stored else None


def _print_stored(made: Connection, store: ConnectionStore, done: str, *, as_json: bool) -> None:
    print_warnings(store.warnings)
    view = connection_view(made, store.origin(str(made.name)), store.secrets_in(str(made.name)))
    if not as_json:
        click.echo(f"{done} connection {made.name} in {store.file}.", err=True)
    _print(view, as_json=as_json)


def _print(view: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(view)
        return
    rows = []
    for key, value in view.items():
        if isinstance(value, Mapping):
            rows += [(f"{key}.{inner}", text) for inner, text in value.items()]
        elif value is not None:
            rows.append((key, value))
    print_table(["field", "value"], rows)
