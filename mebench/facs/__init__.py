"""FACS codes, emotion names and the face regions that action units move."""
