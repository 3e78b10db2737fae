"""What versions answered and what was said of it: one by one, over time, for each arm."""
