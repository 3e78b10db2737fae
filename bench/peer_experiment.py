"""Run in promptflow's own environment: the bench project the way its template does it, in one process.

Two variant runs and an evaluation run of each, one after the other, through ``PFClient``. Prints one JSON line.
"""

import json
import sys
import time
from pathlib import Path

from promptflow.client import PFClient


def run_experiment(project: Path) -> dict[str, float]:
    client = PFClient()
    data = project / "data" / "headlines.jsonl"
    accuracy = {}
    for variant in ("first_word", "any_word"):
        base = client.run(
            flow=project / "flows" / "classify",
            data=data,
            variant=f"${{classify.{variant}}}",
            column_mapping={"text": "${data.text}"},
        )
        evaluation = client.run(
            flow=project / "flows" / "accuracy",
            data=data,
            run=base,
            column_mapping={"category": "${run.outputs.category}", "expected": "${data.expected}"},
        )
        accuracy[variant] = client.get_metrics(evaluation)["accuracy"]
    return accuracy


if __name__ == "__main__":
    started = time.perf_counter()
    metrics = run_experiment(Path(sys.argv[1]).resolve())
    print(json.dumps({"seconds": time.perf_counter() - started, "accuracy": metrics}))
