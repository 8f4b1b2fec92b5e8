"""The private parts of trl that rectune replaces, and a check that they are still there.

If such a part were gone, our replacement would be silently unused, and training would differ from what was
measured. So every replacement calls `require` first, pyproject.toml pins trl to its minor version, and
`tests/models/training/test_trl_internals.py` checks that trl still calls each part.
"""

from __future__ import annotations

import importlib.metadata

from rectune.core.errors import UserError

TESTED = "1.16"  # the minor version of trl that the parts were read in


def require(owner: object, *names: str) -> None:
    """Raise if `owner`, a class or module of trl, lacks one of these attributes.

    Raises:
        UserError: names what is gone, and the versions that have it.
    """
    if gone := [name for name in names if not hasattr(owner, name)]:
        whose = getattr(owner, "__qualname__", getattr(owner, "__name__", repr(owner)))
        raise UserError(
            f"trl {importlib.metadata.version('trl')} has no {', '.join(gone)}, which rectune replaces",
            where=whose,
            hint=f"pip install 'trl=={TESTED}.*'",
        )
