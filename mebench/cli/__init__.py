"""The command line; the only importer of click and rich."""
