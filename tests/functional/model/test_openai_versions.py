"""Flow code that brings its own version of the openai package: every major version lives beside flowyard and works."""

from __future__ import annotations

import json
import subprocess

import pytest
from functional_helper import Project, clean_environment, one_node_flow
from places import ROOT

SDKS = ROOT / ".sdks"

pytestmark = [
    pytest.mark.sdks,
    pytest.mark.skipif(
        not (SDKS / ".installed").is_file(),
        reason="the openai versions are not installed; run scripts/openai_sdks.sh once",
    ),
]

CLIENT = """\
from openai import {client}
from promptflow.core import tool
from promptflow.connections import {connection}


@tool
def work(x: str, conn: {connection}):
    client = {client}({arguments})
    reply = client.chat.completions.create(
        model="small",
        messages=[{{"role": "system", "content": "Answer in one word."}}, {{"role": "user", "content": x}}],
    )
    streamed = client.chat.completions.create(
        model="small", messages=[{{"role": "user", "content": x}}], stream=True
    )
    pieces = [chunk.choices[0].delta.content or "" for chunk in streamed if chunk.choices]
    return {{"answer": reply.choices[0].message.content, "streamed": "".join(pieces)}}
"""
OPENAI = CLIENT.format(
    client="OpenAI",
    connection="OpenAIConnection",
    arguments="api_key=conn.api_key, base_url=conn.base_url",
)
AZURE = CLIENT.format(
    client="AzureOpenAI",
    connection="AzureOpenAIConnection",
    arguments="api_key=conn.api_key, azure_endpoint=conn.api_base, api_version=conn.api_version",
)
BEFORE_1 = """\
import openai
from promptflow import tool
from promptflow.connections import OpenAIConnection


@tool
def work(x: str, conn: OpenAIConnection):
    openai.api_key, openai.api_base = conn.api_key, conn.base_url
    reply = openai.ChatCompletion.create(
        model="small",
        messages=[{"role": "system", "content": "Answer in one word."}, {"role": "user", "content": x}],
    )
    streamed = openai.ChatCompletion.create(model="small", messages=[{"role": "user", "content": x}], stream=True)
    pieces = [chunk["choices"][0]["delta"].get("content", "") for chunk in streamed if chunk["choices"]]
    return {"answer": reply["choices"][0]["message"]["content"], "streamed": "".join(pieces)}
"""


@pytest.mark.parametrize(
    ("major", "code", "kind"),
    [
        ("0", BEFORE_1, "open_ai"),
        *((major, OPENAI, "open_ai") for major in "123"),
        *((major, AZURE, "azure_open_ai") for major in "123"),
    ],
)
def test_each_major_version(project: Project, simulated_server: str, major: str, code: str, kind: str):
    flow = project.flow("sdk", one_node_flow({"x": "string"}, connection="mine"), work_py=code)
    address = {"open_ai": {"base_url": f"{simulated_server}/v1"}, "azure_open_ai": {"api_base": simulated_server}}
    fields = {"type": kind, "api_key": "k", **address[kind]}
    words = ["--json", "--inputs", "x=What is the capital of France?", "--home", str(project.home)]
    done = subprocess.run(
        [SDKS / major / "bin" / "python", "-m", "flowyard", "flow", "test", "--flow", flow, *words],
        cwd=project.root,
        env=clean_environment({"mine": json.dumps(fields)}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout).values()
    assert answer == {"answer": "The capital.", "streamed": "The capital."}
