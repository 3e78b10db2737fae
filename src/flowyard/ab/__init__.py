"""Tests of two versions in production: the rules, what is known, the decision, and the split that follows it."""
