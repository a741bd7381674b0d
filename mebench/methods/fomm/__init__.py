"""The first order motion model family."""
