"""What holds for all tests."""

from hypothesis import settings

# A busy machine makes a slow example, not a wrong one.
settings.register_profile("quarterdeck", deadline=None)
settings.load_profile("quarterdeck")
