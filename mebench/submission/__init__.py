"""Submission folders: manifest, validation, packing."""
