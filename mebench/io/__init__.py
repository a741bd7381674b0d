"""Reading and writing frames, clips and files."""
