"""Quarterdeck's library: pure functions over facts that agents left on disk."""
