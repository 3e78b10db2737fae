"""What an account in Azure has and lacks for serving flows: looked at, never changed."""

from flowyard.azure.account.doctor import examine_account
from flowyard.azure.account.model import Finding, Needs, WorkspacePlace

__all__ = ["Finding", "Needs", "WorkspacePlace", "examine_account"]
