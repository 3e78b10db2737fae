"""Run in promptflow's own environment: make a run and register an exported one; write what it shows of both as JSON.

Arguments: flow, data, the exported folder, the file to write.
"""

import contextlib
import json
import logging
import sys
from pathlib import Path


def shown(client, name):
    details = client.get_details(name).to_dict("records")
    run = client.runs.get(name)
    return {
        "details": details,
        "metrics": client.get_metrics(name),
        "status": run.status,
        "folder": str(run._output_path),
    }


def main():
    logging.disable(logging.CRITICAL)
    with contextlib.redirect_stdout(sys.stderr):
        from promptflow._sdk.entities import Run
        from promptflow.client import PFClient

        client = PFClient()
        flow, data, folder, out = sys.argv[1:]
        client.run(flow=flow, data=data, name="made", stream=False)
        registered = client.runs.create_or_update(Run._load_from_source(source=folder))
        found = {"made": shown(client, "made"), "registered": shown(client, registered.name)}
    Path(out).write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    main()
