"""Figures that others have published, beside what is measured here."""

from __future__ import annotations

from collections.abc import Sequence

from rectune.core.errors import UserError


def check_one_domain(published: Sequence[object], domains: Sequence[str], section: str) -> None:
    """Published figures are of one dataset, so they stand beside one domain only.

    Args:
        published: the figures; nothing is checked without any.
        domains: what is measured.
        section: of the recipe that has the figures.

    Raises:
        UserError: there are figures and several domains.
    """
    if published and len(domains) > 1:
        raise UserError(
            f"published figures are of one dataset, and there are {len(domains)} domains",
            where=f"{section}.published",
            hint="name one dataset in data.datasets, or leave the figures out",
        )
