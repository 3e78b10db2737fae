"""Settings: the only reader of the process environment, and the only writer besides flows' own variables."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flowyard.config import PROJECT_FILE, SECRET_PLACES, USER_FILE, ConfigValue, check_key_vault, read_config
from flowyard.errors import UserError

__all__ = ["ENV_FILE_VARIABLE", "SIMULATE_VARIABLE", "Settings", "inherited_environment", "project_root", "python_path"]

ENV_FILE_VARIABLE = "FLOWYARD_ENV_FILE"
SIMULATE_VARIABLE = "FLOWYARD_SIMULATE"

_MARKERS = (".flowyard", ".git", "pyproject.toml", "experiment.yaml", PROJECT_FILE)


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for one command.

    ``home`` is where runs and experiments are kept, ``user`` where the user's connections and configuration are;
    ``env_file`` is a ``.env`` that a person named (a missing one is an error), while the project's own ``.env`` is
    optional. ``config`` is what configuration files say. ``image_hosts`` are hosts, or ``host:port``, from which flows
    may download pictures although they are not on the public internet. ``store`` is the URL of the database with the
    records of runs, and may hold a password; None is a file in ``home``. ``registry`` is the URL of the registry, None
    for that database; ``registry_files`` is the folder or URL of the files in it, None for a folder in ``home``.
    ``tracking`` is the URL to which experiments are published when they end. ``secrets`` says where the connection
    store keeps new secrets (``auto``, ``keyring`` or ``file``), ``key_vault`` is the address of a vault to read others
    from.
    """

    home: Path
    environ: Mapping[str, str]
    project: Path
    user: Path
    config: Mapping[str, ConfigValue] = field(default_factory=dict)
    env_file: Path | None = None
    simulate: Path | None = None
    image_hosts: frozenset[str] = frozenset()
    store: str | None = None
    registry: str | None = None
    registry_files: str | None = None
    tracking: str | None = None
    secrets: str = "auto"
    key_vault: str | None = None

    @classmethod
    def read(
        cls,
        *,
        home: str | None = None,
        env_file: str | None = None,
        simulate: str | None = None,
        start: Path | None = None,
    ) -> Settings:
        """Settings from flags first, then the environment, then configuration files, then defaults. Raises UserError.

        The environment's variables are ``FLOWYARD_HOME``, ``FLOWYARD_SIMULATE`` and ``FLOWYARD_ENV_FILE`` (paths), and
        ``FLOWYARD_IMAGE_HOSTS``, a list with commas or blanks, ``FLOWYARD_STORE``, ``FLOWYARD_REGISTRY``,
        ``FLOWYARD_TRACKING`` and ``FLOWYARD_KEY_VAULT``, URLs, ``FLOWYARD_REGISTRY_FILES``, a path or URL, and
        ``FLOWYARD_SECRETS``.
        """
        environ = dict(os.environ)
        start = (start or Path.cwd()).resolve()
        root = project_root(start)
        chosen = home or environ.get("FLOWYARD_HOME")
        named = {
            "--env-file" if env_file else ENV_FILE_VARIABLE: env_file or environ.get(ENV_FILE_VARIABLE),
            "--simulate" if simulate else SIMULATE_VARIABLE: simulate or environ.get(SIMULATE_VARIABLE),
        }
        for name, file in named.items():
            if file and not Path(file).is_file():
                raise UserError(f"{name}: there is no file {file}")
        env_file, simulate = named.values()
        user = Path(chosen).expanduser().resolve() if chosen else user_home(environ)
        config = read_config(_config_files(user, root))
        return cls(
            home=user if chosen else _runs_folder(config, root, user),
            environ=environ,
            project=root or start,
            user=user,
            config=config,
            env_file=Path(env_file).resolve() if env_file else None,
            simulate=Path(simulate).resolve() if simulate else None,
            image_hosts=frozenset(filter(None, re.split(r"[,\s]+", environ.get("FLOWYARD_IMAGE_HOSTS", "")))),
            store=environ.get("FLOWYARD_STORE") or _text(config, "store.url"),
            registry=environ.get("FLOWYARD_REGISTRY") or _text(config, "registry.url"),
            registry_files=_registry_files(environ, config, start),
            tracking=environ.get("FLOWYARD_TRACKING") or _text(config, "tracking.url"),
            secrets=_secrets(environ.get("FLOWYARD_SECRETS")) or _text(config, "connection.secrets") or "auto",
            key_vault=_key_vault(environ.get("FLOWYARD_KEY_VAULT")) or _text(config, "connection.key_vault"),
        )

    def hand_down(self) -> None:
        """Put these settings into the environment, where scripts, flow code and child processes find them."""
        handed = {
            "FLOWYARD_HOME": self.home if self.home == self.user else None,
            ENV_FILE_VARIABLE: self.env_file,
            SIMULATE_VARIABLE: self.simulate,
        }
        os.environ.update({variable: str(path) for variable, path in handed.items() if path is not None})


def _config_files(user: Path, root: Path | None) -> list[Path]:
    """The configuration files that hold, the nearest first."""
    return [*([root / PROJECT_FILE] if root else []), user / USER_FILE]


def _runs_folder(config: Mapping[str, ConfigValue], root: Path | None, user: Path) -> Path:
    if "run.output_path" in config:
        return config["run.output_path"].path
    return root / ".flowyard" if root else user


def _text(config: Mapping[str, ConfigValue], key: str) -> str | None:
    return str(config[key].value) if key in config else None


def _registry_files(environ: Mapping[str, str], config: Mapping[str, ConfigValue], start: Path) -> str | None:
    """The URL or the absolute path; a relative one is meant from where it is written."""
    given = environ.get("FLOWYARD_REGISTRY_FILES")
    if given:
        return given if "://" in given else str((start / Path(given).expanduser()).resolve())
    value = config.get("registry.files")
    if value is None:
        return None
    return str(value.value) if "://" in str(value.value) else str(value.path)


def _secrets(given: str | None) -> str | None:
    if given and given not in SECRET_PLACES:
        raise UserError(f"FLOWYARD_SECRETS cannot be {given!r}.", hint=f"It can be {', '.join(SECRET_PLACES)}.")
    return given


def _key_vault(given: str | None) -> str | None:
    return check_key_vault(given, "FLOWYARD_KEY_VAULT") if given else None


def project_root(start: Path) -> Path | None:
    """The nearest folder at or above ``start`` that looks like a project; the user's home folder never does."""
    for folder in (start, *start.parents):
        if folder == Path.home() or folder.parent == folder:
            return None
        if any((folder / marker).exists() for marker in _MARKERS):
            return folder
    return None


def user_home(environ: Mapping[str, str]) -> Path:
    """The user's data folder for flowyard by the platform's custom."""
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA", str(Path.home() / "AppData" / "Local"))) / "flowyard"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "flowyard"
    return Path(environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "flowyard"


def inherited_environment() -> dict[str, str]:
    """The environment that child processes of this one get."""
    return dict(os.environ)


def python_path(first: Path) -> dict[str, str]:
    """The variable that lets a Python look for modules in ``first`` before other folders; none when it does anyway."""
    listed = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    if listed[:1] == [str(first)]:
        return {}
    return {"PYTHONPATH": os.pathsep.join([str(first), *(each for each in listed if each != str(first))])}
