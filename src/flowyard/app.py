"""The composition root: settings become the opened parts that commands use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flowyard.abc import ConnectionSource
from flowyard.experiments.nearest import NearestExperiment
from flowyard.llm import (
    ENDPOINT_VARIABLE,
    CallRules,
    Connections,
    ConnectionStore,
    EnvFileSource,
    EnvironmentSource,
    KeyVaultSource,
    ProviderOpener,
    RemoteSource,
    SimulateEverything,
    YamlSource,
)
from flowyard.llm.recording import RecordedConnections, RecordingRules, ReplayConnections, open_recording
from flowyard.media import UrlRules
from flowyard.runs.execution import Progress
from flowyard.runs.run import RunParts
from flowyard.sessions.local import SessionOpener, open_inline
from flowyard.settings import Settings, project_root
from flowyard.store import SqlStore

__all__ = ["App", "open_app"]

_WORKSPACE_VARIABLES = frozenset(
    {
        "AML_DEPLOYMENT_RESOURCE_ID",
        "PF_CONNECTION_PROVIDER",
        "PROMPTFLOW_CONNECTION_PROVIDER",
        "PRT_CONFIG_OVERRIDE",
    }
)
"""What may name a workspace of Azure ML to read connections from."""


@dataclass(frozen=True, slots=True)
class App:
    """The opened parts of one command. ``environ`` is the environment over the variables of the ``.env`` files."""

    settings: Settings
    store: SqlStore
    environ: Mapping[str, str]
    env_files: tuple[EnvFileSource, ...]
    near: Path

    def connections(
        self, declared: Sequence[ConnectionSource] = (), recording: RecordingRules | None = None
    ) -> Connections:
        """All sources in order: simulation when asked for, environment, ``.env``, declared ones, YAML files, the
        user's store, a Key Vault when one is configured, and an HTTP provider and an Azure ML workspace when the
        environment names one. Where none are declared, those of the experiment around the flow come last.

        In a replay nothing is asked over a network, and what is recorded, or missing, has a stand-in. Raises UserError
        when the recording cannot be read.
        """
        if recording is not None and recording.mode == "replay":
            recorded = RecordedConnections(open_recording(recording.file).connections)
            return ReplayConnections([recorded, *self._local_sources(declared), *self._around(declared)])
        sources = self._local_sources(declared)
        if self.settings.key_vault:
            sources.append(KeyVaultSource(self.settings.key_vault))
        if self.environ.get(ENDPOINT_VARIABLE):
            sources.append(RemoteSource(self.environ[ENDPOINT_VARIABLE]))
        if _WORKSPACE_VARIABLES & self.environ.keys():
            from flowyard.llm.workspace_source import open_workspace_source  # noqa: PLC0415 - heavy, and few name one

            workspace = open_workspace_source(self.environ)
            sources += [workspace] if workspace is not None else []
        return Connections([*sources, *self._around(declared)])

    def _around(self, declared: Sequence[ConnectionSource]) -> list[ConnectionSource]:
        """What the experiment around a flow declares, where nothing is ``declared``: last, for what no other has."""
        return [] if declared else [NearestExperiment(self.near, self.settings.home, self.environ)]

    def _local_sources(self, declared: Iterable[ConnectionSource]) -> list[ConnectionSource]:
        sources: list[ConnectionSource] = []
        if self.settings.simulate:
            sources.append(SimulateEverything(self.settings.simulate))
        sources += [EnvironmentSource(self.settings.environ, folder=Path.cwd()), *self.env_files, *declared]
        return [*sources, YamlSource(self._connection_files(), self.environ), self.connection_store()]

    def connection_store(self) -> ConnectionStore:
        """The user's own store of connections."""
        return ConnectionStore(self.settings.user / "connections", self.environ, self.settings.secrets)

    def parts(
        self,
        progress: Progress,
        declared: Sequence[ConnectionSource] = (),
        rules: CallRules | None = None,
        open_session: SessionOpener = open_inline,
    ) -> RunParts:
        """What runs need; ``rules`` hold for all their model calls, ``open_session`` says where lines run."""
        rules = rules or CallRules()
        connections = self.connections(declared, rules.recording)
        return RunParts(connections, ProviderOpener(rules), self.store, progress, self.urls, open_session)

    @property
    def urls(self) -> UrlRules:
        """Where flows may download pictures from."""
        return UrlRules(self.settings.image_hosts)

    def _connection_files(self) -> list[Path]:
        root = project_root(self.near) or self.near
        folders = dict.fromkeys([root, self.settings.project, self.settings.home, self.settings.user])
        return [
            file
            for folder in folders
            for pattern in ("*.yaml", "*.yml")
            for file in sorted((folder / "connections").glob(pattern))
        ]


def open_app(settings: Settings, near: Path | None = None) -> App:
    """Open the parts. ``near`` is the flow or experiment at hand; the nearest ``.env`` above it is read.

    Raises UserError when an ``.env`` file cannot be read.
    """
    near = (near or settings.project).resolve()
    near = near if near.is_dir() else near.parent
    files = [settings.env_file] if settings.env_file else _env_files(settings, near)
    sources = tuple(EnvFileSource(file) for file in files)
    environ: dict[str, str] = {}
    for source in reversed(sources):
        environ |= source.environ
    return App(settings, SqlStore(settings.home, settings.store), environ | dict(settings.environ), sources, near)


def _env_files(settings: Settings, near: Path) -> list[Path]:
    root = project_root(near) or near
    above = [folder for folder in (near, *near.parents) if folder.is_relative_to(root)]
    found = [folder / ".env" for folder in (*above, settings.project) if (folder / ".env").is_file()]
    return list(dict.fromkeys(found))
