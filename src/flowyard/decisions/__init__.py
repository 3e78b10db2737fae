"""Whether one version is better than another, how sure that is, and whether it may ship."""
