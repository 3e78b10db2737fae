"""Programs with the official openai package use a served chat flow as a model."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from functional_helper import Project, clean_environment
from serve_helper import serving
from test_flow_serve_use import ASKED, chat_flow

SDKS = Path(__file__).resolve().parents[2] / ".sdks"

pytestmark = [
    pytest.mark.sdks,
    pytest.mark.skipif(
        not (SDKS / ".installed").is_file(),
        reason="the openai versions are not installed; run scripts/openai_sdks.sh once",
    ),
]

PROGRAM = """\
import json, sys
import openai

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="s3cret", max_retries=0)
asked = [{"role": "user", "content": sys.argv[2]}]
whole = client.chat.completions.create(model="talk", messages=asked)
stream = client.chat.completions.create(
    model="talk", messages=asked, stream=True, stream_options={"include_usage": True}
)
chunks = list(stream)
failures = []
for key, messages in (("wrong", asked), ("s3cret", [])):
    try:
        client.with_options(api_key=key).chat.completions.create(model="talk", messages=messages)
    except openai.APIStatusError as error:
        failures.append(type(error).__name__)
print(json.dumps({
    "models": [model.id for model in client.models.list()],
    "whole": whole.choices[0].message.content,
    "tokens": whole.usage.total_tokens,
    "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices),
    "streamed_tokens": chunks[-1].usage.total_tokens,
    "failures": failures,
}))
"""


@pytest.mark.parametrize("version", ["1", "2", "3"])
def test_the_openai_package_talks_to_a_flow(project: Project, version: str):
    program = project.root / "program.py"
    program.write_text(PROGRAM, "utf-8")
    env = {"FLOWYARD_SERVE_KEY": "s3cret"}
    with serving(project, chat_flow(project), "--simulate", "rules.yaml", env=env) as ask:
        words = [SDKS / version / "bin" / "python", program, ask.url, ASKED]
        done = subprocess.run(words, env=clean_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["tokens"] == said["streamed_tokens"] > 0
    assert said["whole"] == said["streamed"] == "The capital."
    assert said["models"] == ["talk"]
    assert said["failures"] == ["AuthenticationError", "BadRequestError"]
