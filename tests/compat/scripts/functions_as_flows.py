"""Functions, classes and instances run over data without a flow file."""

import json

from entries import Greeter, repeat
from promptflow.client import PFClient


def show(*values):
    print("RESULT", json.dumps(values, sort_keys=True))


def main():
    pf = PFClient()
    show(pf.test(flow=repeat, inputs={"word": "a"}), pf.test(flow="entries:repeat", inputs={"word": "b", "times": 3}))
    by_function = pf.run(flow=repeat, data="words.jsonl", column_mapping={"word": "${data.word}"})
    show(by_function.status, list(pf.get_details(by_function)["outputs.output"]))
    by_class = pf.run(
        flow=Greeter, init={"greeting": "hello"}, data="words.jsonl", column_mapping={"word": "${data.word}"}
    )
    show(list(pf.get_details(by_class)["outputs.text"]), pf.get_metrics(by_class))
    by_instance = pf.run(flow=Greeter("good day"), data="words.jsonl", column_mapping={"word": "${data.word}"})
    show(list(pf.get_details(by_instance)["outputs.text"]), pf.get_metrics(by_instance))
    show(pf.flows.infer_signature(entry=repeat)["inputs"]["word"])


if __name__ == "__main__":
    main()
