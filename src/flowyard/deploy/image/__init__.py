"""A flow as an image, or as a folder for machines without a container engine: what is in it, and who builds it."""
