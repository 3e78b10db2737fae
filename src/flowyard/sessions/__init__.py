"""Where the lines of a run are executed: in this process, or in worker processes that may crash."""
