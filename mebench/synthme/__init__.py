"""SynthME: procedural faces that make action units of known size at known times."""
