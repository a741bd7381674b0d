"""Runs a baseline on a protocol: train, generate, validate, score, record; resumable."""
