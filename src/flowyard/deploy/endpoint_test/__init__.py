"""Whether an endpoint does what it should: the same checks for every target.

Nothing is imported here: most commands that name a test do not carry it out.
"""
