"""Runs from a file, their labels, the archive, and going on with an earlier run."""

import json

from promptflow.client import PFClient, load_run
from promptflow.entities import Run


def show(*values):
    print("RESULT", json.dumps(values, sort_keys=True))


def names(runs):
    return [run.name for run in runs]


def main():
    pf = PFClient()
    described = load_run(source="run.yaml")
    show(described.status, described.display_name, described.tags, described.column_mapping)
    described.name = "first"
    first = pf.runs.create_or_update(described)
    show(first.name, first.status, pf.get_details(first).to_dict(orient="records"))
    second = pf.runs.create_or_update(
        Run(flow="flows/web_classification", data="data.jsonl", column_mapping={"url": "${data.url}"}, name="second")
    )
    show(second.display_name is None or second.display_name == "second", names(pf.runs.list()))
    pf.runs.archive("first")
    show(names(pf.runs.list()))
    pf.runs.restore("first")
    pf.runs.update("first", display_name="renamed", description="for the record", tags={"team": "ads"})
    again = pf.runs.get("first")
    show(again.display_name, again.description, again.tags)
    resumed = pf.run(resume_from=second, name="third")
    show(resumed.status, pf.get_details("third").to_dict(orient="records"))
    pf.runs.delete("second")
    show(sorted(names(pf.runs.list())), pf.get_metrics("first"))
    summary = first._to_dict()
    show(summary["name"], summary["status"], sorted(summary["properties"]["column_mapping"]))


if __name__ == "__main__":
    main()
