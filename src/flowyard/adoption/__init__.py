"""Taking in what exists: a flow becomes a use case, a repository of the GenAIOps template gets what it lacks."""

from flowyard.adoption.adopt import adopt, plan_adoption
from flowyard.adoption.model import Adoption, LeftToDo, Mapped

__all__ = ["Adoption", "LeftToDo", "Mapped", "adopt", "plan_adoption"]
