"""Foreign flow folders, run here and in the real promptflow with the same inputs, and what came out of both."""
