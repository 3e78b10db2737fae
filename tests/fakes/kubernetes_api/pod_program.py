"""What an image of the tests runs: a server of ``work.py`` in a folder that starts faster than a real one.

python pod_program.py FOLDER PORT
"""

from __future__ import annotations

import hmac
import json
import os
import signal
import sys
import threading
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """``/health``, ``/health/ready`` and ``/score``; the key is asked for."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.answer(200 if self.path in ("/health", "/health/ready") else 404, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not hmac.compare_digest(self.headers.get("api-key", ""), os.environ["FLOWYARD_SERVE_KEY"]):
            return self.answer(401, {})
        from work import work

        self.answer(200, {"answer": work(**body)})

    def answer(self, status: int, value: object) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128


def main() -> None:
    """Serve until SIGTERM, then finish what was begun."""
    folder, port = sys.argv[1:]
    core = types.ModuleType("promptflow.core")
    core.tool = lambda function: function  # type: ignore[attr-defined]
    sys.modules |= {"promptflow": types.ModuleType("promptflow"), "promptflow.core": core}
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    print("starting", flush=True)
    import work  # noqa: F401

    server = Server(("127.0.0.1", int(port)), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(0.05)
    server.server_close()


if __name__ == "__main__":
    main()
