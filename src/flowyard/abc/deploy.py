"""Where flows are served, of what, and who gets the requests there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowyard.deploy.model import Address, Change, Deployment, EndpointState, Image, Traffic, WantedDeployment
    from flowyard.registry.model import Version

__all__ = ["ImageBuilder", "Target", "TrafficPlatform"]


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
