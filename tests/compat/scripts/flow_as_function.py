"""A flow behind a web handler: loaded once, called from many threads, with what one caller changes."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from promptflow.client import load_flow
from promptflow.entities import FlowContext

FLOW = Path("flows/web_classification").resolve()
flow = load_flow("flows/web_classification")


def show(*values):
    print("RESULT", json.dumps(values, sort_keys=True))


def handle(request):
    try:
        return {"status": 200, "body": flow(**request)}
    except Exception as error:
        return {"status": 400, "error": type(error).__name__, "says": "cannot fetch" in str(error)}


def main():
    requests = [{"url": f"https://play.example/{n}"} for n in range(8)]
    requests += [{"url": "https://broken.example"}, {}, {"url": "https://x.example", "times": "3", "unknown": 1}]
    requests += [{"url": "https://x.example", "times": "many"}]
    with ThreadPoolExecutor(4) as pool:
        for answer in pool.map(handle, requests):
            show(answer)
    answer = flow.invoke({"url": "https://play.example"})
    show(answer.output, answer.run_info.status.value, sorted(answer.node_run_infos))
    show(answer.node_run_infos["classify"].output, answer.node_run_infos["classify"].status.value)
    changed = load_flow(source=FLOW)  # absolute: promptflow's threads do not always put the working directory back
    changed.context = FlowContext(overrides={"nodes.classify.inputs.ending": "?"})
    show(changed(url="https://play.example"), flow(url="https://play.example"))
    changed.context.overrides = {"nodes.classify.inputs.times": 1}
    show(changed(url="https://play.example"))
    try:
        flow("https://play.example")
    except Exception as error:
        show(type(error).__name__)


if __name__ == "__main__":
    main()
