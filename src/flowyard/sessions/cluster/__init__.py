"""Sessions whose workers are on the nodes of a Ray cluster; Ray itself is imported when one is opened."""
