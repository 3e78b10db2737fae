"""Importing flowyard is cheap: what a command does not use, it does not load."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    "aiohttp",
    "cryptography",
    "jinja2",
    "numpy",
    "openai",
    "pandas",
    "psycopg",
    "pydantic",
    "rich",
    "ruamel",
    "sqlalchemy",
}


@pytest.mark.parametrize("module", ["flowyard", "flowyard.cli.main", "flowyard.media"])
def test_import_loads_nothing_heavy(module: str):
    code = f"import json, sys, {module}; print(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(json.loads(done.stdout))


def test_trying_a_flow_loads_no_http_library():
    code = "import sys, flowyard.cli.flow.test; print('aiohttp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_deploying_loads_no_reports_and_no_evaluators_before_it_tests():
    late = "{'flowyard.reports', 'flowyard.evaluation.builtin'}"
    code = f"import sys, flowyard.cli.deploy.apply; print({late} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
