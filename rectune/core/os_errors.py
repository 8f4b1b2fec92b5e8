"""What the operating system refuses, in words for people: full disks, missing permissions, files where
folders should be.
"""

from __future__ import annotations

import errno
import os

from rectune.core.errors import UserError

_FULL = (errno.ENOSPC, errno.EDQUOT)
# What is wrong and what to do about it; other numbers are faults of the program, and keep their traceback.
_WORDS = {
    errno.EACCES: ("permission denied", "give a place where you may read and write, with --runs for one"),
    errno.EPERM: ("permission denied", "give a place where you may read and write, with --runs for one"),
    errno.EROFS: ("stands on a file system that is read-only", "give another place, with --runs for one"),
    errno.ENOTDIR: ("a file stands where a folder is wanted", "give a folder, or move the file away"),
    errno.EEXIST: ("a file stands where a folder is wanted", "give a folder, or move the file away"),
    errno.EISDIR: ("is a folder, wanted is a file", "give the name of a file"),
    errno.ENAMETOOLONG: ("the name is too long", "give a shorter name"),
    errno.EMFILE: ("too many files are open", "raise the limit: ulimit -n 4096"),
    errno.EFBIG: ("the file grows larger than this file system or the limits allow", "see: ulimit -f"),
    errno.EIO: ("could not be read or written", "look at the disk, or at the connection to it"),
}


def full_disk(where: str) -> UserError:
    """What is said wherever there is no space left."""
    return UserError(
        "the disk is full", where=where, hint="free some space; the same command goes on from here"
    )


def is_full_disk(error: BaseException | None) -> bool:
    """Whether there was no space left; libraries not written in Python say so in their own errors' words."""
    words = [os.strerror(number) for number in _FULL]
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        if any(word in str(error) for word in words):
            return True
        error = error.__cause__ or error.__context__
    return False


def for_people(error: BaseException, where: str) -> UserError | None:
    """The error that a person can correct; None where it is none.

    Args:
        where: what is named where the system's error names no file.
    """
    if isinstance(error, UserError):
        return error
    if is_full_disk(error):
        return full_disk(str(getattr(error, "filename", None) or where))
    if not isinstance(error, OSError) or error.errno not in _WORDS:
        return None
    found, hint = _WORDS[error.errno]
    return UserError(found, where=str(error.filename or where), hint=hint)
