"""Rules over what versions do in production, whether they hold, and telling people once when that changes."""
