"""What any store may raise."""


class StoreError(Exception):
    """The store could not be opened, read or written; `str()` says why, for people."""


class StoreTooNew(StoreError):
    """A later version of this software has changed the store's tables."""
