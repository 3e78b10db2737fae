"""What can be swapped. Each part has few methods and states its whole contract here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowyard.records import Comparison, ExperimentRecord, ModelReply, ModelRequest, RunQuery, RunRecord

if TYPE_CHECKING:
    from flowyard.ab.evidence.model import Split
    from flowyard.decisions.model import Evidence
    from flowyard.deploy.model import Address, Change, Deployment, EndpointState, Image, Traffic, WantedDeployment
    from flowyard.llm.connection import Connection
    from flowyard.notify.model import Notice
    from flowyard.registry.model import AliasChange, Draft, Kind, LineageFact, Registered, Version

__all__ = [
    "ConnectionSource",
    "Hold",
    "ImageBuilder",
    "Notifier",
    "Provider",
    "RecordSink",
    "RegistryStore",
    "ReportFormat",
    "Splitter",
    "Store",
    "Target",
    "TrafficPlatform",
]


class Provider(ABC):
    """A language model endpoint behind one connection. Safe to use by many tasks of one event loop at once."""

    @abstractmethod
    async def call(self, request: ModelRequest) -> ModelReply:
        """Send one request and wait for the whole answer, retrying what is worth retrying.

        Raises ProviderError when the endpoint refuses or does not answer; its message never holds a secret.
        """

    @abstractmethod
    def stream(self, request: ModelRequest) -> AsyncIterator[Mapping[str, Any]]:
        """Send one request and yield the answer's chunks (OpenAI chunk objects, usage in the last) as they come.

        Raises ProviderError before the first chunk, or when the stream is cut off.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close what is open. The provider cannot be used afterwards."""


class ConnectionSource(ABC):
    """A place that knows connections by name: the environment, an ``.env`` file, YAML files."""

    label: str
    """How errors and listings name this source, for example ``environment`` or ``.env``."""

    overrules: bool = False
    """Whether what this source finds also takes the place of connections that are declared outside of all sources."""

    @abstractmethod
    def find(self, name: str) -> Connection | None:
        """The connection of that name, or None when this source has none. Raises UserError when it is malformed."""

    @abstractmethod
    def names(self) -> Iterable[str]:
        """The names that this source knows for certain (an environment may answer to more)."""

    def declared_type(self, name: str) -> str | None:  # noqa: ARG002 - sources of files know more
        """The type that a connection is declared with, also when its values cannot be had; None when unknown."""
        return None

    def origin(self, name: str) -> str:  # noqa: ARG002 - sources of many files tell them apart
        """Where this source has the connection of that name from; the label unless it is known more closely."""
        return self.label


class Hold(ABC):
    """The right to run one run, which one process has at a time."""

    @abstractmethod
    def require_held(self) -> None:
        """Raises Conflict when the hold was lost, because the run was deleted or its lock file was."""


class Store(ABC):
    """Where records of runs and experiments are kept, for many threads and processes at once.

    Writes are atomic: a reader sees the old or the new record. Every method raises StoreError when the store cannot be
    read or written. A run that is stored as running, but that nobody holds, was killed: it is given as ``canceled``,
    with its finished lines counted.
    """

    @abstractmethod
    def create_run(self, run: RunRecord) -> RunRecord:
        """Claim the run's name and its folder; returns the record with its ``path``. Raises Conflict if taken."""

    @abstractmethod
    def hold(self, name: str) -> AbstractContextManager[Hold]:
        """Hold a run: until the context ends, or this process does, nobody else can, in this process or another.

        The run may be yet to be created; who holds first and then creates is never taken for killed. Raises Conflict,
        naming the process that holds it, and NotFound for what cannot be a run's name.
        """

    @abstractmethod
    def is_held(self, name: str) -> bool:
        """Whether somebody holds the run now."""

    @abstractmethod
    def save_run(self, run: RunRecord) -> None:
        """Replace the stored record of an existing run; one that ended is on disk when this returns.

        Raises NotFound when it was deleted.
        """

    @abstractmethod
    def get_run(self, name: str) -> RunRecord:
        """The run of that name. Raises NotFound, naming near matches."""

    @abstractmethod
    def list_runs(self, query: RunQuery = RunQuery()) -> Sequence[RunRecord]:  # noqa: B008 - frozen
        """The runs that fit, newest first; of the same time, by name."""

    @abstractmethod
    def delete_run(self, name: str) -> None:
        """Remove a run and everything in its folder, following no link. Raises NotFound; Conflict while it is held."""

    @abstractmethod
    def create_experiment_folder(self, name: str, key: str) -> Path:
        """Claim a new folder for one execution of an experiment. Raises Conflict if it exists."""

    @abstractmethod
    def save_experiment(self, experiment: ExperimentRecord) -> None:
        """Store the record in the experiment's folder."""

    @abstractmethod
    def list_experiments(self, name: str | None = None, limit: int | None = None) -> Sequence[ExperimentRecord]:
        """The executions whose folders can be reached from here, newest first; of one experiment, or of all.

        One whose record is missing, because it was killed, or damaged is left out.
        """

    @abstractmethod
    def get_experiment(self, key: str) -> ExperimentRecord:
        """The execution with that key; or the last one of the experiment with that name.

        Raises NotFound, naming near matches, and Conflict when several experiments have an execution of that key.
        """


class ReportFormat(ABC):
    """Writes the comparison of some runs in one format."""

    @abstractmethod
    def write(self, comparison: Comparison, evidence: Evidence | None, folder: Path) -> Sequence[Path]:
        """Write into ``folder`` (which exists) and return the files, the most important first.

        ``evidence`` is what is known of the differences; None when nothing was tested.
        """


class Notifier(ABC):
    """One way to tell people something."""

    label: str
    """How errors and listings name it, for example ``slack:SLACK_URL``; never the URL itself."""

    person: str | None
    """The one person that is reached, by the name that approvals know; None when many may read it."""

    @abstractmethod
    async def send(self, notice: Notice) -> None:
        """Deliver the notice, trying again where that may help; it was accepted when this returns.

        Raises UserError when it is refused or may not be sent there, OutsideError when nobody answers. Neither holds a
        secret.
        """


class RegistryStore(ABC):
    """Where versions of datasets and flows are kept, for many processes and machines at once.

    A version never changes. Every method raises OutsideError when what is behind it cannot be reached or refuses, which
    is never taken for "not there"; StoreError when what it has is damaged.
    """

    label: str
    """Where it is, without secrets."""

    shares_files: bool = False
    """Whether ``fetch`` gives files that are on this machine anyway, so that it costs next to nothing."""

    @abstractmethod
    def names(self, kind: Kind) -> Sequence[str]:
        """What has at least one version, sorted."""

    @abstractmethod
    def versions(self, kind: Kind, name: str) -> Sequence[Version]:
        """All versions of that name, oldest first; empty when there is none."""

    @abstractmethod
    def add(self, draft: Draft) -> Registered:
        """The version of that name that has the draft's digest, whichever it is; a new one only when none has it.

        Numbers are 1, 2, 3, … without gaps, also when many register at once. What is killed half way leaves no version.
        Raises Conflict when the content changed while it was read.
        """

    @abstractmethod
    def fetch(self, version: Version, folder: Path) -> None:
        """Write the files of a version below ``folder``, which exists and is empty, byte for byte.

        They may be read only. Every name and every byte is checked against the version before this returns; StoreError
        when one differs.
        """

    @abstractmethod
    def move_alias(self, kind: Kind, name: str, change: AliasChange) -> None:
        """Point an alias at a version, or take it away. Raises NotFound when there is no such version."""

    @abstractmethod
    def alias_changes(self, kind: Kind, name: str) -> Sequence[AliasChange]:
        """Every change of the aliases of a name, oldest first; the last of an alias is what holds."""

    @abstractmethod
    def add_fact(self, version: Version, fact: LineageFact) -> None:
        """Write down what became known of a version; nothing that was written is ever changed."""

    @abstractmethod
    def facts(self, version: Version) -> Sequence[LineageFact]:
        """What is known of a version, oldest first."""


class ImageBuilder(ABC):
    """Makes images of registered flow versions."""

    @abstractmethod
    def build(self, version: Version, folder: Path, repository: str | None = None) -> Image:
        """The image of a version whose files are in ``folder``; building the same twice gives the same digest.

        With a ``repository`` (``registry.example/name``) it is pushed there, and the reference names it by its digest.
        Raises UserError when the flow cannot be built, OutsideError when the engine or the repository fails.
        """


class Target(ABC):
    """A place where flows are served: processes of this machine, containers, a cluster, a cloud.

    A target knows endpoints by name. Each has deployments that never change, and shares of the requests that these get.
    The shares add up to 0 or to 100 whenever somebody looks, and changing them fails no request. What is killed half
    way is done again by the same call and comes to the same. Methods raise OutsideError when what is behind the
    target fails, UserError for what can never work there.
    """

    label: str
    """How plans and errors name it: ``local``, ``docker``, …"""

    needs_image: bool = False
    """Whether it runs images; else it runs the files of the version."""

    @abstractmethod
    def plan(self, wanted: WantedDeployment) -> Sequence[Change]:
        """What ``apply`` would change, in order; reads only. Raises UserError for what this target cannot do."""

    def warnings(self, wanted: WantedDeployment) -> Sequence[str]:  # noqa: ARG002 - most have none
        """What somebody should know before it is deployed like that; holds no secret, and asks nobody."""
        return ()

    def look_into_image(self, wanted: WantedDeployment) -> bool:  # noqa: ARG002 - most cannot
        """Whether the image of ``wanted`` is known to hold its version; False where nobody can look into it from here.

        Asked for images that were built elsewhere. Raises UserError for the image of something else, and NotFound.
        """
        return False

    @abstractmethod
    def apply(self, wanted: WantedDeployment) -> Deployment:
        """Make the endpoint, if it is not there, and the deployment in it, which gets no requests yet; wait till ready.

        One of that name that is ready is left as it is, with the share it has; one that is broken is made anew.
        Raises OutsideError, with the last lines of its log, when it does not get ready; it is left as ``failed`` then.
        """

    @abstractmethod
    def status(self, endpoint: str) -> EndpointState:
        """What is there now."""

    @abstractmethod
    def reach(self, endpoint: str, deployment: str | None = None) -> AbstractContextManager[Address]:
        """Where that deployment alone answers, or the endpoint by its shares, as long as the context lasts.

        Raises NotFound when it is not there.
        """

    @abstractmethod
    def set_shares(self, endpoint: str, shares: Mapping[str, int]) -> None:
        """Give each deployment its percent of the requests, all at once; those not named get none, as all do for {}.

        Requests that begin after this returns follow it. Raises UserError unless the sum is 0 or 100, NotFound for a
        deployment that is not there.
        """

    @abstractmethod
    def logs(self, endpoint: str, deployment: str, lines: int = 100) -> Sequence[str]:
        """The last lines that a deployment wrote, oldest first. Raises NotFound."""

    @abstractmethod
    def remove(self, endpoint: str, deployment: str | None = None) -> None:
        """Take a deployment away, or the endpoint with all of them; requests that it has begun are finished.

        What is not there is no error. Raises Conflict for one deployment that still gets requests.
        """

    @abstractmethod
    def export(self, wanted: WantedDeployment, folder: Path) -> Sequence[Path]:
        """Write files with which people do the same by the target's own tools into a new or empty folder, no secrets.

        Raises UserError when the target has no such tools.
        """


class TrafficPlatform(ABC):
    """A target whose platform splits the requests itself, each request by chance.

    Deployers on several machines may change the shares at once, and so may people with the platform's own tools.
    """

    keeps_clients: bool = False
    """Whether a client that takes cookies stays with what its first request got, so that requests are not independent.
    """

    changes_at_once: bool = True
    """Whether a change is one write, so that a deployer that is killed leaves the old or the new shares."""

    @abstractmethod
    def require_possible(self, wanted: Traffic) -> None:
        """Raises UserError for what the platform cannot do, with what can; asks nobody."""

    @abstractmethod
    def traffic(self, endpoint: str) -> Traffic:
        """Who gets the requests, and copies of them, now. Raises NotFound for an endpoint that is not there."""

    @abstractmethod
    def set_traffic(self, endpoint: str, wanted: Traffic, seen: Traffic) -> None:
        """Give the requests so, if they are still given as ``seen``; what is so already is left.

        Requests that begin after this returns follow it. Raises Conflict, with who gets them now, when somebody else
        changed that meanwhile, and then theirs holds; UserError for what the platform cannot do; NotFound for a
        deployment that is not there.
        """


class Splitter(ABC):
    """What splits the requests among the arms of a test.

    Every change of the weights begins a new epoch; setting what is set already need not. Methods raise OutsideError
    when it cannot be reached or refuses.
    """

    @property
    @abstractmethod
    def label(self) -> str:
        """Where it is, without secrets."""

    @abstractmethod
    def weights(self) -> Mapping[str, float]:
        """The weight of each arm now; one without requests has 0 or is missing."""

    @abstractmethod
    def splits(self) -> Sequence[Split]:
        """Every split that it remembers, oldest first; the last is in force."""

    @abstractmethod
    def set_weights(self, weights: Mapping[str, float], reason: str) -> None:
        """Give the arms these weights, all at once; requests that begin after this returns follow them."""


class RecordSink(ABC):
    """Where production records of a served flow go. Called from one thread; never waits for what is slow.

    A sink that ``FLOWYARD_SERVE_RECORDS_SINK`` names is a class that is made with the environment, a mapping of
    variables, as its one argument. It may raise UserError then, and in ``put`` what it likes: the record is lost.
    """

    @abstractmethod
    def put(self, text: Callable[[], str]) -> None:
        """Keep one record, a JSON object that ``text`` makes, in any thread and once."""

    def put_all(self, texts: Sequence[str]) -> None:
        """Keep records that are texts already."""
        for text in texts:
            self.put(text.__str__)

    @property
    @abstractmethod
    def dropped(self) -> int:
        """How many records could not be kept."""

    @abstractmethod
    def close(self) -> None:
        """Keep what is left, and then nothing more. Safe to call again."""
