"""Serves the function ``work`` of a folder's work.py with the standard library only: small_server.py FOLDER READY."""

import inspect
import json
import os
import signal
import sys
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

folder, ready = Path(sys.argv[1]), Path(sys.argv[2])
core = types.ModuleType("promptflow.core")
core.tool = lambda function: function
sys.modules["promptflow"], sys.modules["promptflow.core"] = types.ModuleType("promptflow"), core
names: dict = {}
exec((folder / "work.py").read_text(), names)
field = next(iter(inspect.signature(names["work"]).parameters))
output = "out" if field == "x" else "answer"
text = {"type": "string"}


def described(name):
    return {"content": {"application/json": {"schema": {"type": "object", "properties": {name: text}}}}}


SWAGGER = {
    "openapi": "3.0.0",
    "paths": {"/score": {"post": {"requestBody": described(field), "responses": {"200": described(output)}}}},
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _said(self, body):
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        self._said(SWAGGER if self.path == "/swagger.json" else {"status": "healthy"})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._said({output: names["work"](asked[field])})

    def log_message(self, *_):
        return


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
half = ready.with_suffix(".half")
half.write_text(f"http://127.0.0.1:{server.server_port}")
half.rename(ready)
server.serve_forever()
