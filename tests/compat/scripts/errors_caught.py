"""Every error a script is written to catch, by the class it names."""

import json

from promptflow._sdk._errors import InvalidFlowError, RunExistsError, RunNotFoundError
from promptflow.client import PFClient, load_flow
from promptflow.exceptions import PromptflowException, UserErrorException, ValidationException


def caught(kind, call):
    try:
        call()
    except kind as error:
        outcome = [kind.__name__, bool(str(error))]
    except Exception as error:
        outcome = ["not caught", type(error).__name__]
    else:
        outcome = ["nothing was raised"]
    print("RESULT", json.dumps(outcome))


def main():
    pf = PFClient()
    flow, data, mapping = "flows/web_classification", "data.jsonl", {"url": "${data.url}"}
    caught(RunNotFoundError, lambda: pf.runs.get("nobody"))
    caught(RunNotFoundError, lambda: pf.get_details("nobody"))
    caught(RunNotFoundError, lambda: pf.run(flow=flow, data=data, run="nobody", column_mapping=mapping))
    caught(UserErrorException, lambda: load_flow("flows/nobody"))
    caught(UserErrorException, lambda: pf.test(flow=flow, inputs={"url": "https://broken.example"}))
    caught(UserErrorException, lambda: pf.test(flow=flow, inputs={}))
    caught(UserErrorException, lambda: load_flow(flow)(url="https://broken.example"))
    caught(PromptflowException, load_flow(flow))
    caught(InvalidFlowError, lambda: pf.run(flow=flow, data=data, variant="${classify.variant_9}"))
    caught(InvalidFlowError, lambda: pf.test(flow=flow, inputs={"url": "x"}, variant="${nobody.variant_0}"))
    caught(ValidationException, lambda: pf.run(flow=flow, data=data, column_mapping={"url": "literal"}))
    caught(FileNotFoundError, lambda: pf.run(flow=flow, data="nothing.jsonl"))
    caught(ValueError, lambda: pf.run(flow=flow))
    caught(ValueError, lambda: pf.run(data=data))
    pf.run(flow=flow, data=data, column_mapping=mapping, name="taken")
    caught(RunExistsError, lambda: pf.run(flow=flow, data=data, column_mapping=mapping, name="taken"))
    caught(ValueError, lambda: pf.run(flow=flow, data=data, resume_from="taken"))


if __name__ == "__main__":
    main()
