"""A repository laid out by the GenAIOps template, with things in it that are broken on purpose."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

__all__ = ["write_repository"]

_EXPERIMENT = """\
name: letters
flow: flows/sort
runtime: some-runtime
owner: the mail team

connections:
- name: mail_model
  connection_type: AzureOpenAIConnection
  api_key: ${api_key}
  api_endpoint: ${api_endpoint}

datasets:
- name: letters_train
  source: letters.jsonl
  mappings:
    text: "${data.text}"

evaluators:
- name: grade
  flow: flows/grade
  datasets:
  - name: letters_train
    mappings:
      expected: "${data.kind}"
      found: "${run.outputs.kind}"
"""

_PROD = """\
name: letters_prod
flow: flows/other
stage:
  approvals: 2
datasets:
- name: letters_new
  source: data/new_letters.jsonl
  mappings:
    text: "${data.text}"
"""

_SORT = """\
inputs:
  text: {type: string}
outputs:
  kind: {type: string, reference: "${sort.output}"}
nodes:
- name: sort
  use_variants: true
- name: polish
  use_variants: true
node_variants:
  sort:
    default_variant_id: variant_0
    variants:
      variant_0: {node: {type: python, source: {type: code, path: sort.py}, inputs: {text: "${polish.output}"}}}
      Variant_B: {node: {type: python, source: {type: code, path: sort.py}, inputs: {text: "${inputs.text}"}}}
  polish:
    default_variant_id: variant_0
    variants:
      variant_0: {node: {type: python, source: {type: code, path: sort.py}, inputs: {text: "${inputs.text}"}}}
"""

_SORT_PY = """\
from promptflow.core import tool


@tool
def sort(text: str):
    return "bill" if "money" in text else "note"
"""

_GRADE = """\
inputs:
  expected: {type: string}
  found: {type: string}
outputs:
  same: {type: bool, reference: "${grade.output}"}
nodes:
- name: grade
  type: python
  source: {type: code, path: grade.py}
  inputs: {expected: "${inputs.expected}", found: "${inputs.found}"}
"""

_GRADE_PY = """\
from promptflow.core import tool


@tool
def grade(expected: str, found: str):
    return expected == found
"""

_PYTHON_EVALUATOR = """\
def eval_tone(run_name, data_path, mappings, report_dir):
    raise RuntimeError("nobody may run this")
"""

_MAPPED_WRONG = """\
name: talk
flow: chat
datasets:
- name: questions
  source: data/questions.jsonl
  mappings:
    math_question: "${data.question}"
evaluators:
- name: eval_tone
  flow: flows/eval_tone
  datasets:
  - name: questions
    mappings:
      answer: "${target.answer}"
"""

_CHAT = """\
inputs:
  question: {type: string, default: What is a flow?}
outputs:
  answer: {type: string, reference: "${say.output}"}
nodes:
- name: say
  type: python
  source: {type: code, path: say.py}
  inputs: {text: "${inputs.question}"}
"""

_WORKFLOW = """\
name: letters_ci_dev_workflow
on: {push: {branches: [main]}}
jobs:
  all:
    runs-on: ubuntu-latest
    steps:
      - run: echo "${{ secrets.ENV_VARS }}" > .env
      - run: python -m llmops.common.prompt_pipeline --base_path letters --env_name dev --variants "*"
      - run: python -m llmops.common.prompt_eval --run_id run_id.txt --base_path letters --env_name dev
      - uses: actions/upload-artifact@v3
      - run: python -m llmops.common.deployment.provision_endpoint --base_path letters
      # python -m llmops.common.deployment.register_model is off
"""

_JENKINS = "pipeline { stages { stage('x') { steps { sh 'python -m llmops.common.register_data_asset' } } } }\n"

_DEPLOYMENT = {
    "azure_managed_endpoint": [
        {
            "ENV_NAME": "dev",
            "TEST_FILE_PATH": "sample-request.json",
            "ENDPOINT_NAME": "letters",
            "PRIOR_DEPLOYMENT_NAME": "",
            "PRIOR_DEPLOYMENT_TRAFFIC_ALLOCATION": "",
            "CURRENT_DEPLOYMENT_NAME": "blue",
            "CURRENT_DEPLOYMENT_TRAFFIC_ALLOCATION": "60",
            "DEPLOYMENT_VM_SIZE": "small",
            "ENVIRONMENT_VARIABLES": {"OTHER_API_KEY": "sk-in-a-file"},
        }
    ],
    "webapp_endpoint": [{"ENV_NAME": "dev", "CONNECTION_NAMES": ["nobody"], "WEB_APP_NAME": "<b>web</b>|x"}],
    "moon_endpoint": [],
}

_FILES: Mapping[str, str] = {
    ".env": 'SUBSCRIPTION_ID=1\nMAIL_MODEL_API_KEY=sk-very-secret\nmail_model={"type": "open_ai"}\n',
    ".github/workflows/letters_ci_dev_workflow.yml": _WORKFLOW,
    ".github/workflows/own.yml": "on: push\njobs: {}\n",
    ".azure-pipelines/platform_cd_dev_pipeline.yml": "jobs:\n- task: ManualValidation@0\n- script: printenv\n",
    ".jenkins/talk_pr": _JENKINS,
    "llmops/config.py": '"""Where runs are made."""\nEXECUTION_TYPE = "AZURE"\n',
    "letters/experiment.yaml": _EXPERIMENT,
    "letters/experiment.prod.yaml": _PROD,
    "letters/experiment.pr.yaml": "evaluators:\n",
    "letters/experiment.None.yaml": "",
    "letters/data/letters.jsonl": '{"text": "send money", "kind": "bill"}\n',
    "letters/data/new_letters.jsonl": '{"text": "hello", "kind": "note"}\n',
    "letters/flows/sort/flow.dag.yaml": _SORT,
    "letters/flows/sort/sort.py": _SORT_PY,
    "letters/flows/grade/flow.dag.yaml": _GRADE,
    "letters/flows/grade/grade.py": _GRADE_PY,
    "letters/environment/env.yaml": "LEVEL:\nREGION: ${REGION}\nSERVICE_KEY: written-out\nEMPTY: ''\n",
    "letters/configs/deployment_config.json": json.dumps(_DEPLOYMENT, indent=1).replace("\n ", "\n\t"),
    "talk/experiment.yaml": _MAPPED_WRONG,
    "talk/flows/chat/flow.dag.yaml": _CHAT,
    "talk/flows/chat/say.py": _SORT_PY,
    "talk/flows/chat/samples/flow.flex.yaml": "entry: say:say\n",
    "talk/flows/chat/init.json": '{"model": {"api_key": "${api_key}", "count": 3}}\n',
    "talk/flows/eval_tone/eval_tone.py": _PYTHON_EVALUATOR,
    "talk/data/questions.jsonl": '{"question": "Why?"}\n',
    "talk/configs/dataops_config.json": '{"SCHEDULE": {"NAME": "daily"}, "DATA_ASSETS": []}\n',
    "talk/configs/deployment_config.json": "{broken\n",
}


def write_repository(root: Path) -> Path:
    """Write the repository into ``root``: two use cases, three kinds of pipelines, broken things in both."""
    for name, text in _FILES.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return root
