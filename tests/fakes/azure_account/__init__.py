"""Stand-ins for what stands around Azure: who gives tokens to jobs and machines, and the record of an account."""

from azure_account.account import Account, running_account
from azure_account.issuers import Issuer, running_issuer

__all__ = ["Account", "Issuer", "running_account", "running_issuer"]
