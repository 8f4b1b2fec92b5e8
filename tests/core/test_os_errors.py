"""What the system refuses is one error for people, wherever it comes from."""

import errno
import os

import pytest

from rectune.core.errors import UserError
from rectune.core.os_errors import for_people


@pytest.mark.parametrize(
    ("number", "found"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "disk is full"),
        (errno.EACCES, "permission denied"),
        (errno.EROFS, "read-only"),
        (errno.EEXIST, "a file stands where a folder is wanted"),
    ],
)
def test_what_a_person_can_mend_is_said_with_the_file_and_what_to_do(number: int, found: str) -> None:
    told = for_people(OSError(number, os.strerror(number), "runs/x"), "runs")
    assert told is not None and found in told.message and told.where == "runs/x" and told.hint
    unnamed = for_people(OSError(number, os.strerror(number)), "runs")
    assert unnamed is not None and unnamed.where == "runs"


def test_a_library_that_tells_of_a_full_disk_in_its_own_words_is_understood() -> None:
    told = for_people(RuntimeError(f"cannot write: {os.strerror(errno.ENOSPC)}"), "runs")
    assert told is not None and told.message == "the disk is full"


def test_faults_of_ours_and_errors_for_people_stay_what_they_are() -> None:
    assert for_people(FileNotFoundError(errno.ENOENT, "no such file", "x"), "runs") is None
    assert for_people(ValueError("x"), "runs") is None
    ours = UserError("found", where="here")
    assert for_people(ours, "runs") is ours
