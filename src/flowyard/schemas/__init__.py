"""JSON schemas of the files that people write, made of what the strict readers go by."""

from flowyard.schemas.catalogue import SCHEMAS, FileSchema, find_schema, schema_files

__all__ = ["SCHEMAS", "FileSchema", "find_schema", "schema_files"]
