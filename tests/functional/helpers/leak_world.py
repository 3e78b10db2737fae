"""A project with a secret in every place where one may be, and a model endpoint that repeats the key it is given."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

from canaries import Canaries, connection_of
from leak_files import AB, ASK, CLOUD, EXPERIMENT, FLOW, LEAKS, MONITORING, OK, PROMPTY, SCRIPT, WEBAPP

from flowyard.llm.connection_parsing import CONNECTION_TYPES

__all__ = ["PLACES", "World", "echoing_endpoint"]

IN_ENVIRONMENT = (
    *("FROM_ENV", "BARE_API_KEY", "BROKEN_JSON", "PGPASSWORD", "SMTP_PASSWORD", "SLACK_URL", "TEAMS_URL"),
    *("AZURE_CLIENT_SECRET", "GITHUB_TOKEN", "OPENAI_API_KEY", "FLOWYARD_KEY_VAULT_TOKEN", "FLOWYARD_AZURE_TOKEN"),
    *("HTTPS_PROXY", "FLOWYARD_SERVING_KEY", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "DECLARED_API_KEY"),
    *("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "SYSTEM_ACCESSTOKEN", "AOAI_API_KEY"),
)
IN_FILES = (
    *("dotenv", "dotenv_smtp", "dotenv_slack", "dotenv_teams", "dotenv_azure", "broken_env", "secret_env", "key_txt"),
    *("refusing", "echoing", "header", "prompty_key", "broken_yaml", "broken_connection", "wrong_connection"),
    *("broken_prompty", "broken_experiment", "wrong_experiment", "git", "sent", "url", "store_url", "netrc"),
)
TYPES = tuple(kind for kind in CONNECTION_TYPES if connection_of(kind, "x"))
PLACES = (*IN_ENVIRONMENT, *IN_FILES, *TYPES)


class World:
    """The project, and where everything that commands write ends up."""

    def __init__(self, folder: Path, address: str) -> None:
        self.secrets = Canaries(PLACES)
        self.root, self.home, self.address = folder / "project", folder / "home", address
        self.inherited = frozenset(IN_ENVIRONMENT)
        self._seen: dict[Path, tuple[int, int]] = {}
        self._write_connections()
        self._write_flows()
        self._write_experiments()
        rows = [{"x": x, "answer": x, "label": 3} for x in ("a", "raise", "nested", "assert", "quoted", "die")]
        self._write("data.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        git = f"https://u:{self.secrets.plain('git')}@git.example/x.git"
        self._write(".git/config", f'[remote "origin"]\n\turl = {git}\n')
        self._write(".netrc", f"machine 127.0.0.1 login u password {self.secrets.plain('netrc')}\n")
        self._write("script.py", SCRIPT)
        self._write("grade.py", "def grade(out: str) -> dict:\n    raise ValueError(out)\n")
        self._write("rules.yaml", "rules:\n- reply: yes\n")
        self._given = {file for file in self.root.rglob("*") if file.is_file()}

    def environment(self) -> dict[str, str]:
        """The variables that a person set on purpose."""
        own = self.secrets
        return {
            **{name: own.plain(name) for name in IN_ENVIRONMENT},
            "FROM_ENV": json.dumps({"type": "open_ai", "api_key": own["FROM_ENV"]}),
            "BROKEN_JSON": '{"type": "open_ai", "api_key": ' + own.plain("BROKEN_JSON"),
            "SLACK_URL": f"https://hooks.example/services/{own.plain('SLACK_URL')}",
            "HTTPS_PROXY": f"http://u:{own.plain('HTTPS_PROXY')}@127.0.0.1:1",
            "FLOWYARD_HOME": str(self.home),
            "HOME": str(self.home.parent / "person"),
            "COLUMNS": "100",
        }

    def left(self) -> dict[str, set[str]]:
        """Secrets in what was written since the last call: all files but those that were laid out."""
        found = {}
        for file in [*self.home.rglob("*"), *self.root.rglob("*")]:
            state = file.lstat()
            seen = (state.st_mtime_ns, state.st_size)
            if self._seen.get(file) == seen or file in self._given:
                continue
            self._seen[file] = seen
            name = str(file.relative_to(self.home.parent))
            if hits := self.secrets.found_in(name) | self.secrets.found_in_file(file):
                found[name] = hits
        return found

    def require_worked(self) -> None:
        """The commands did what may leak, and did not merely refuse."""
        for run in ("run_ok", "run_leaks", "run_refused", "run_echoed", "run_headers", "run_kept", "eval_flow"):
            assert (self.home / "runs" / run / "lines.jsonl").read_text(), run
        for path in (
            "calls.jsonl",
            "page.html",
            "report",
            "image",
            "exported",
            "fresh",
            "cloud_files",
            "exported_webapp",
        ):
            assert (self.root / path).exists(), path

    def _write(self, name: str, text: str) -> None:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def _write_connections(self) -> None:
        own = self.secrets
        for kind in TYPES:
            body = {"name": kind, **(connection_of(kind, own[kind]) or {})}
            self._write(f"connections/{kind}.yaml", json.dumps(body))
        for name in ("refusing", "echoing"):
            body = {"name": name, "type": "open_ai", "base_url": f"{self.address}/{name}", "api_key": own.plain(name)}
            self._write(f"connections/{name}.yaml", json.dumps(body))
        broken, wrong = own.plain("broken_connection"), json.dumps(own["wrong_connection"])  # JSON is YAML
        self._write("broken_connection.yaml", f"name: x\ntype: open_ai\napi_key: {broken}\n  - : [{broken}\n")
        self._write("wrong_connection.yaml", f"name: x\ntype: open_ai\napi_kee: {wrong}\n")
        self._write("key.txt", own["key_txt"])
        dotenv = {"DOTENV_API_KEY": "dotenv", "SMTP": "dotenv_smtp", "SLACK": "dotenv_slack", "TEAMS": "dotenv_teams"}
        self._write(".env", "".join(f"{key}={own.plain(name)}\n" for key, name in dotenv.items()))
        self._write("broken.env", f"A={own.plain('broken_env')}\nthis {own.plain('broken_env')} is no line\n")
        self._write("secret.env", f"MY_SECRET={own.plain('secret_env')}\n")

    def _write_flows(self) -> None:
        own = self.secrets
        self._write("ok/flow.dag.yaml", FLOW.replace("CONNECTION", "open_ai"))
        self._write("ok/work.py", OK)
        self._write("ok/.env", f"AZURE={own.plain('dotenv_azure')}\n")
        self._write("leaks/flow.dag.yaml", FLOW.replace("CONNECTION", "custom"))
        self._write("leaks/work.py", LEAKS)
        for flow, connection in (("refused", "refusing"), ("echoed", "echoing")):
            self._write(f"{flow}/flow.dag.yaml", ASK.replace("CONNECTION", connection))
            self._write(f"{flow}/ask.jinja2", "# user:\n{{ x }}\n")
        broken = own.plain("broken_yaml")
        self._write("broken_yaml/flow.dag.yaml", f"inputs: {{x: {{type: string}}}}\nkey: {broken}\n  - {broken}: [\n")
        header = own.plain("header")
        headers = f'extra_headers: {{Authorization: "Bearer {header}", x-api-key: {header}}}'
        address = f"{self.address}/echoing"
        self._write("headers.prompty", PROMPTY % (address, own.plain("prompty_key"), headers))
        broken = own.plain("broken_prompty")
        self._write("broken_prompty/flow.prompty", PROMPTY % ("[", broken, broken))

    def _write_experiments(self) -> None:
        key, broken = '"${api_key}"', self.secrets.plain("broken_experiment")
        wrong = EXPERIMENT.replace("api_key:", "api_kee:").replace(key, self.secrets.plain("wrong_experiment"))
        self._write("experiment.yaml", EXPERIMENT)
        self._write("broken_experiment.yaml", EXPERIMENT.replace(f"{key}}}", f"{broken}, x: ["))
        self._write("wrong_experiment.yaml", wrong)
        self._write("cloud/experiment.yaml", "name: ok\n")
        self._write("cloud/deployment.yaml", CLOUD)
        self._write("webapp/experiment.yaml", EXPERIMENT.replace("leaking", "ok"))
        self._write("webapp/deployment.yaml", WEBAPP)
        self._write("ab/ab.yaml", AB)
        self._write("monitoring.yaml", f"{MONITORING}notify: ['teams:TEAMS_URL']\n")
        self._write("monitoring_wrong.yaml", f"{MONITORING}notify: ['https://{self.secrets.plain('url')}.example']\n")
        self._write("ab_gateway/ab.yaml", AB + 'split: {gateway: "http://127.0.0.1:1", key: "${OPENAI_API_KEY}"}\n')
        url = f"http://u:{self.secrets.plain('wrong_experiment')}@127.0.0.1"
        self._write("ab_wrong/ab.yaml", AB + f'split: {{gateway: "{url}", key: {url}}}\n')


class Echoes(BaseHTTPRequestHandler):
    """A model endpoint that repeats the key it was given, in its refusal or in its answer."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        said = f"{key} {quote(key, safe='')} {b64encode(key.encode()).decode()} {dict(self.headers)}"
        if "/refusing" in self.path:
            self._answer(401, {"error": {"message": f"Incorrect API key provided: {said}"}})
        else:
            message = {"role": "assistant", "content": f"You sent {said}"}
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            self._answer(200, {"object": "chat.completion", "model": "m", "choices": [choice], "usage": usage})

    def _answer(self, status: int, body: Mapping[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("x-your-key", self.headers.get("Authorization", ""))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        return


@contextmanager
def echoing_endpoint() -> Iterator[str]:
    """The address of a running endpoint; below /refusing it refuses."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Echoes) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
