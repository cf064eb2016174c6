"""Opening files that others made, for reading, without ever waiting for whoever made them."""

import errno
import io
import os
import stat


class NotPlainError(OSError):
    """A pipe, socket, device, folder, or a link that leads nowhere but to itself."""


def is_plain(path: str | os.PathLike[str]) -> bool:
    """Whether a plain file is there. Raises NotPlainError for anything else, and OSError."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _told(error) from None
    if not stat.S_ISREG(mode):
        raise _not_plain(path)
    return True


def open_plain(
    path: str | os.PathLike[str], buffering: int = io.DEFAULT_BUFFER_SIZE
) -> io.BufferedReader:
    """Open a plain file for reading bytes: to open a pipe would wait for whoever writes to it.

    Raises NotPlainError for what is no plain file, OSError where none can be opened.
    """
    return io.BufferedReader(open_raw(path), buffering)


def open_raw(path: str | os.PathLike[str]) -> io.FileIO:
    """The same without a buffer."""
    try:
        return io.FileIO(path, "rb", opener=_descriptor)
    except OSError as error:
        raise _told(error) from None


def _descriptor(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_plain(path)
    return descriptor


def _not_plain(path: str | os.PathLike[str]) -> NotPlainError:
    return NotPlainError(errno.EINVAL, "it is no plain file", os.fspath(path))


def _told(error: OSError) -> OSError:
    # The latter is what opening a socket ends with.
    return _not_plain(error.filename) if error.errno in (errno.ELOOP, errno.ENXIO) else error
