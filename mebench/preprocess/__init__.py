"""From a clip of a data set to aligned, cached frames."""
