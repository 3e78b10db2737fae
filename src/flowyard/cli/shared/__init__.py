"""What commands of several nouns share: options, tables, progress, and how results are printed."""
