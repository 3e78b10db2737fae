"""Where versions are kept: one file for each kind of store, imported when its URL is opened."""
