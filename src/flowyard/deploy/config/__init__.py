"""Where a use case is deployed, as its files say it."""
