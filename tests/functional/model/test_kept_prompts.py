"""What nodes sent to models is kept with their lines, and the report shows it."""

from __future__ import annotations

import base64
import re
import zlib
from pathlib import Path

from functional_helper import ASK_FLOW, ASK_TEMPLATE, Project
from limited_server import limited_server


def test_a_node_keeps_what_it_sent_and_the_report_shows_it(project: Project) -> None:
    project.flow("ask", ASK_FLOW, ask_jinja2=ASK_TEMPLATE)
    project.jsonl("data.jsonl", [{"question": f"what is q{row}"} for row in range(3)])
    words = ("run", "create", "--flow", "ask", "--data", "data.jsonl", "--name", "r")
    with limited_server() as server:
        run = project.json(*words, env={"MY_MODEL_BASE_URL": server.url})
    for line in project.lines(run):
        (prompt,) = line["nodes"][0]["prompts"]
        assert f"what is q{line['line_number']}" in prompt
        assert ":\n" in prompt
    project.run("run", "visualize", "-n", "r")
    (page,) = Path(project.home / "comparisons").glob("*.html")
    blocks = re.findall(r'<script type="application/octet-stream" id="block-[^"]+">([^<]+)</script>', page.read_text())
    text = b"".join(zlib.decompress(base64.b64decode(block)) for block in blocks).decode()
    assert text.count("what is q1") >= 2  # as input, and in the prompt
