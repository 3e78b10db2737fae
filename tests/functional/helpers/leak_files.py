"""The files of a project that would leak what it is given."""

from __future__ import annotations

FLOW = """\
inputs:
  x: {type: string}
outputs:
  out: {type: string, reference: "${work.output}"}
nodes:
- name: work
  type: python
  source: {type: code, path: work.py}
  inputs: {x: "${inputs.x}", conn: CONNECTION}
"""
OK = """\
from promptflow.connections import OpenAIConnection
from promptflow.core import tool


@tool
def work(x: str, conn: OpenAIConnection) -> str:
    return x + str(len(conn.api_key))
"""
LEAKS = """\
import base64
import html
import json
import os
from urllib.parse import quote, quote_plus

from promptflow.connections import CustomConnection
from promptflow.core import tool


class Holder:
    def __init__(self, secret):
        self.secret = secret

    def __repr__(self):
        return f"Holder({self.secret!r})"


@tool
def work(x: str, conn: CustomConnection) -> dict:
    local_copy = conn.token
    holder = Holder(local_copy)
    if x == "raise":
        raise ValueError(f"the service said: {local_copy} and {holder}")
    if x == "nested":
        try:
            {}[local_copy]
        except KeyError as error:
            raise RuntimeError(base64.b64encode(local_copy.encode()).decode()) from error
    if x == "assert":
        assert not local_copy, {"Authorization": "Bearer " + local_copy}
    if x == "die":
        os._exit(3)
    basic = [base64.b64encode((before + local_copy).encode()).decode() for before in ("u:", "us:", "use:")]
    quoted = [quote(local_copy), quote(local_copy, safe=""), quote_plus(local_copy), html.escape(local_copy)]
    found = {"raw": local_copy, local_copy: 1, "basic": basic, "quoted": quoted, "x": x}
    return {**found, "json": json.dumps([local_copy])}
"""
ASK = """\
inputs:
  x: {type: string}
outputs:
  out: {type: string, reference: "${ask.output}"}
nodes:
- name: ask
  type: llm
  source: {type: code, path: ask.jinja2}
  inputs: {model: small, deployment_name: small, x: "${inputs.x}", max_tokens: 9}
  connection: CONNECTION
  api: chat
"""
PROMPTY = """\
---
name: p
model:
  api: chat
  configuration: {type: openai, model: m, base_url: %s, api_key: %s}
  parameters:
    %s
---
user:
{{x}}
"""
CLOUD = f"""\
environments:
  dev:
    target: azure-ml
    approval: not_required
    env: {{MODEL_KEY: "${{BARE_API_KEY}}"}}
    options:
      subscription_id: s
      resource_group: g
      workspace: w
      instance_type: Standard_DS3_v2
    image: {{reference: "images.example/ok@sha256:{"1" * 64}"}}
"""
EXPERIMENT = """\
name: leaking
flow: leaks
connections:
- {name: declared, connection_type: open_ai, api_key: "${api_key}"}
datasets:
- {name: rows, source: data.jsonl, mappings: {x: "${data.x}"}}
evaluators:
- {name: ok, flow: ok, datasets: [{name: rows, mappings: {x: "${data.x}"}}]}
gates:
- error_rate <= 0.05
"""
AB = """\
name: words
arms: {control: a, treatment: b}
primary: {metric: no_error}
"""
MONITORING = """\
flow: ok
alerts: [{name: silent, when: requests < 1, by: flow, severity: critical}]
"""
WEBAPP = """\
environments:
  test:
    target: azure-webapp
    approval: not_required
    env: {MODEL_API_KEY: "${OPENAI_API_KEY}"}
    options:
      subscription: s-1
      resource_group: tests
      sku: S1
      secrets: {FLOWYARD_SERVE_KEY: "https://vault.example/secrets/serve-key"}
"""
SCRIPT = """\
from promptflow.client import PFClient

pf = PFClient()
print(pf.connections.get("custom"))
print(pf.connections.list())
run = pf.run(flow="leaks", data="data.jsonl")
print(run)
print(pf.get_details(run).to_string())
pf.test("leaks", inputs={"x": "raise"})
"""
