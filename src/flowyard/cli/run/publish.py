"""``flowyard run publish``"""

from __future__ import annotations

from pathlib import Path

import click

from flowyard.app import open_app
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.cli.shared.track_option import print_published, published_view, publishing, require_url
from flowyard.errors import UserError
from flowyard.records import RunRecord
from flowyard.tracking import open_publisher

__all__ = ["publish"]


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@click.option("--to", metavar="URL", help="mlflow+http://HOST or mlflow+https://HOST (default: FLOWYARD_TRACKING).")
@click.option("--experiment-name", metavar="TEXT", help="MLflow's experiment (default: the flow's name).")
@click.option("--version", metavar="NAME:VERSION", help="The registered flow that they ran; both then name each other.")
@store_options
def publish(
    names: tuple[str, ...],
    to: str | None,
    experiment_name: str | None,
    version: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Put runs into MLflow: parameters, metrics, outputs and a trace of each line.

    What is there already is left as it is, so that this can be repeated.
    """
    app = open_app(read_settings(home))
    url = require_url(app.settings, to)
    label = _version(version)
    runs = [app.store.get_run(name) for name in dict.fromkeys(names)]
    with publishing(runs) as on_lines:
        publisher = open_publisher(url, app.environ, experiment_name or _flow_name(runs[0]), on_lines)
        published = publisher.publish_runs(runs, label)
    if as_json:
        print_json({"url": url, "runs": published_view(published)})
    else:
        print_published(published)


def _flow_name(run: RunRecord) -> str:
    """The folder of the flow, or the file's own name for a flow that is one file among others."""
    path = Path(run.flow)
    return path.parent.name or path.stem if path.name.startswith("flow.") else path.stem


def _version(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    name, colon, number = text.rpartition(":")
    if not colon or not name or not number.isdecimal():
        raise UserError(f"--version takes NAME:VERSION, not {text!r}.")
    return name, int(number)
