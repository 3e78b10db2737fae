"""The rules of a test of two versions, and the file that says them."""
