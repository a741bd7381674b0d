"""Protocols: which clips train, which pairs must be generated, and what is known of the answer."""
