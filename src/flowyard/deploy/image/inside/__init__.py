"""What runs inside an image while it is built. These files know nothing of flowyard."""
