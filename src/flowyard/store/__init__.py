"""Where records of runs and experiments are kept."""

from flowyard.store.open import require_store_url
from flowyard.store.sql_store import SqlStore, StoreStatus
from flowyard.store.take_in import TakenIn

__all__ = ["SqlStore", "StoreStatus", "TakenIn", "require_store_url"]
