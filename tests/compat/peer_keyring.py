"""A keyring for promptflow on a machine without one: a file in its own home."""

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend


class FileKeyring(KeyringBackend):
    priority = 1

    def get_password(self, service, username):
        return self._kept().get(f"{service} {username}")

    def set_password(self, service, username, password):
        self._file().write_text(json.dumps({**self._kept(), f"{service} {username}": password}), "utf-8")

    def delete_password(self, service, username):
        kept = self._kept()
        kept.pop(f"{service} {username}", None)
        self._file().write_text(json.dumps(kept), "utf-8")

    def _kept(self):
        return json.loads(self._file().read_text("utf-8")) if self._file().exists() else {}

    def _file(self):
        return Path(os.environ["PF_HOME_DIRECTORY"]) / "keyring.json"
