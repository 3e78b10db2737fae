"""Run in promptflow's own environment: one line of each flow given, its outputs or error as JSON in a file."""

import contextlib
import json
import logging
import sys
from pathlib import Path


def plain(value):
    return "".join(map(str, value)) if hasattr(value, "__next__") else value


def run_case(case):
    import serpapi.serp_api_client
    from promptflow.executor import FlowExecutor

    serpapi.serp_api_client.SerpApiClient.BACKEND = case["address"]
    folder = Path(case["folder"])
    try:
        executor = FlowExecutor.create(
            folder / "flow.dag.yaml", case["connections"], working_dir=folder, raise_ex=False
        )
        result = executor.exec_line(case["inputs"])
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    if not str(result.run_info.status).endswith("Completed"):
        return {"error": result.run_info.error["message"]}
    return {"outputs": {name: plain(value) for name, value in result.output.items() if name != "line_number"}}


def main():
    logging.disable(logging.CRITICAL)
    with contextlib.redirect_stdout(sys.stderr):
        found = {case["name"]: run_case(case) for case in json.loads(Path(sys.argv[1]).read_text("utf-8"))}
    Path(sys.argv[2]).write_text(json.dumps(found, default=str), "utf-8")


if __name__ == "__main__":
    main()
