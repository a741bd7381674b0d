"""Loaders, one module a data set."""
