"""A run over data, its evaluation, and what a person reads of both."""

import json

from promptflow.client import PFClient


def show(*values):
    print("RESULT", json.dumps(values, sort_keys=True))


def main():
    pf = PFClient()
    base = pf.run(
        flow="flows/web_classification",
        data="data.jsonl",
        column_mapping={"url": "${data.url}"},
        display_name="base",
        tags={"kind": "base"},
    )
    pf.stream(base)
    details = pf.get_details(base)
    show(base.status, base.display_name, base.tags, base.column_mapping)
    show(sorted(details.columns), details.sort_values("inputs.line_number").to_dict(orient="records"))
    evaluation = pf.run(
        flow="flows/accuracy",
        data="data.jsonl",
        run=base,
        column_mapping={"groundtruth": "${data.answer}", "prediction": "${run.outputs.category}"},
    )
    show(evaluation.status, evaluation.run == base.name, pf.get_metrics(evaluation))
    graded = pf.runs.get_details(evaluation.name, max_results=2)
    show(len(graded), list(graded["outputs.grade"]), [int(n) for n in graded["inputs.line_number"]])
    show([run.display_name == "base" for run in pf.runs.list(max_results=2)])
    pf.visualize([base, evaluation])


if __name__ == "__main__":
    main()
