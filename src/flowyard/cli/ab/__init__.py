"""``flowyard ab``: the commands of the noun, one file for each or for a few that belong together."""
