"""Are the metrics what they say: right answers spoilt in known ways, and how values take it."""
