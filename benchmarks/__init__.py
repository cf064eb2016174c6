"""Measurements of what Quarterdeck costs. Nothing here asserts a time; see README.md."""
