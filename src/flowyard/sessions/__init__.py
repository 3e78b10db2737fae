"""Where the code of a flow runs: sessions and their worker processes."""
