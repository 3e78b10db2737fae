"""``flowyard experiment publish``"""

from __future__ import annotations

import click

from flowyard.app import open_app
from flowyard.cli.experiment.result import check_finished
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.cli.shared.track_option import print_published, publish_execution, published_view, require_url

__all__ = ["publish"]


@click.command()
@click.argument("key", metavar="KEY|NAME")
@click.option("--to", metavar="URL", help="mlflow+http://HOST or mlflow+https://HOST (default: FLOWYARD_TRACKING).")
@click.option("--experiment-name", metavar="TEXT", help="MLflow's experiment (default: the experiment's name).")
@store_options
def publish(key: str, to: str | None, experiment_name: str | None, home: str | None, as_json: bool) -> None:
    """Put an execution into MLflow: that of KEY, or the last one of the experiment NAME.

    Its reports, its runs with their metrics and traces, and below them their evaluations. Can be repeated.
    """
    app = open_app(read_settings(home))
    url = require_url(app.settings, to)
    record = app.store.get_experiment(key)
    check_finished(record)
    published = publish_execution(record, url, app.environ, experiment_name)
    if as_json:
        print_json({"name": record.name, "key": record.key, "url": url, "runs": published_view(published)})
    else:
        print_published(published)
