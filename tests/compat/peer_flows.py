"""Run in promptflow's own environment: the outcome of every flow folder given, as a line of JSON ``[name, outcome]``.

Flows with ``data`` run as batches through ``PFClient``; those with a variant, and flex flows, through
``PFClient.test``; all others through the executor, line by line. The third argument is JSON: {folder: environment} of
those that ask a model; the fourth the names of the folders.
"""

import contextlib
import json
import logging
import os
import sys
from pathlib import Path


def failed_nodes(infos):
    return sorted(name for name, info in infos.items() if str(info.status).endswith("Failed"))


def run_cases(folder, expected):
    from promptflow.executor import FlowExecutor

    executor = FlowExecutor.create(flow_in(folder), {}, working_dir=folder, raise_ex=False)
    cases = expected.get("cases") or [expected]
    with contextlib.chdir(folder):  # as `pf flow test` does; paths of pictures in inputs are relative to it
        return {"cases": [run_case(executor, case["inputs"]) for case in cases]}


def flow_in(folder):
    for name in ("flow.dag.yaml", "flow.flex.yaml"):
        if (folder / name).is_file():
            return folder / name
    return sorted(folder.glob("*.prompty"))[0]


def run_flex_cases(folder, expected, client):
    cases = expected.get("cases") or [expected]
    return {"cases": [run_flex_case(folder, case["inputs"], expected.get("init"), client) for case in cases]}


def run_flex_case(folder, inputs, init, client):
    forget_modules(folder.parent)
    try:
        output = client.test(folder, inputs=dict(inputs), init=init)
    except Exception as error:
        return {"error": str(error), "nodes": []}
    output = output if isinstance(output, dict) else {"output": output}
    return {"outputs": {key: joined(value) for key, value in output.items()}}


def forget_modules(root):
    """All flows here call their module the same, and promptflow imports it as any other."""
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(root)):
            del sys.modules[name]
    sys.path[:] = [entry for entry in sys.path if not entry.startswith(str(root))]


def run_case(executor, inputs):
    try:
        result = executor.exec_line(dict(inputs))
    except Exception as error:
        return {"error": str(error), "nodes": []}
    if str(result.run_info.status).endswith("Completed"):
        output = result.output if isinstance(result.output, dict) else {"output": result.output}
        return {"outputs": {key: joined(value) for key, value in output.items() if key != "line_number"}}
    return {"error": result.run_info.error["message"], "nodes": failed_nodes(result.node_run_infos)}


def joined(value):
    return "".join(map(str, value)) if hasattr(value, "__next__") else value


def run_variant(folder, expected, client):
    (node, variant), *_ = expected["variant"].items()
    outputs = client.test(folder, inputs=dict(expected["inputs"]), variant=f"${{{node}.{variant}}}")
    return {"cases": [{"outputs": {key: joined(value) for key, value in outputs.items()}}]}


def run_batch(folder, expected, client):
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in expected["data"]), "utf-8")
    flow = flow_in(folder)
    flow = folder if flow.suffix == ".yaml" else flow
    forget_modules(folder.parent)
    mapping = expected.get("column_mapping")
    run = client.run(flow=flow, data=data, column_mapping=mapping, init=expected.get("init"), stream=False)
    output = Path(run._output_path)
    lines = {}
    failed = {}
    for file in sorted((output / "flow_artifacts").glob("*.jsonl")):
        record = json.loads(file.read_text("utf-8").splitlines()[0])
        number = str(record["line_number"])
        if record["run_info"]["status"] == "Completed":
            lines[number] = record["run_info"]["output"]
        else:
            failed[number] = None
    aggregation = []
    for file in sorted((output / "node_artifacts").glob("*/*.jsonl")):
        for text in file.read_text("utf-8").splitlines():
            info = json.loads(text)["run_info"]
            if info["status"] == "Failed" and info["index"] is None:
                aggregation.append(info["node"])
            elif info["status"] == "Failed":
                failed[str(info["index"])] = info["node"]
    metrics = json.loads((output / "metrics.json").read_text("utf-8"))
    return {"lines": lines, "failed": failed, "metrics": metrics, "aggregation_errors": aggregation}


def run_folder(folder):
    expected = json.loads((folder / "expect.json").read_text("utf-8"))
    try:
        if "data" in expected:
            return run_batch(folder, expected, the_client())
        if "variant" in expected:
            return run_variant(folder, expected, the_client())
        if (folder / "flow.flex.yaml").is_file():
            return run_flex_cases(folder, expected, the_client())
        return run_cases(folder, expected)
    except Exception as error:
        return {"load_error": f"{type(error).__name__}: {error}"}


def the_client(made=[]):  # noqa: B006 - one for all
    from promptflow.client import PFClient

    if not made:
        made.append(PFClient())
    return made[0]


def main():
    logging.disable(logging.CRITICAL)
    environments = json.loads(sys.argv[3])
    with contextlib.redirect_stdout(sys.stderr), Path(sys.argv[2]).open("w", encoding="utf-8") as out:
        for name in json.loads(sys.argv[4]):
            os.environ.update(environments.get(name, {}))
            out.write(json.dumps([name, run_folder(Path(sys.argv[1]) / name)], default=str) + "\n")
            out.flush()


if __name__ == "__main__":
    main()
