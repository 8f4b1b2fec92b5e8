"""What users say of themselves on the page, as what they state in the data that rankers learnt from."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from rectune.serving.store.tables import User

_NAMES = {"age_band": ("age", "age_band"), "sex": ("gender", "sex"), "occupation": ("occupation",)}


def agreed_profile(user: User) -> dict[str, str]:
    """Age, sex and occupation as far as a user said them; nothing of one who has not agreed to be kept."""
    if user.consented is None or user.without_profile:
        return {}
    return {name: value for name in _NAMES if (value := getattr(user, name))}


def stated_by(profile: Mapping[str, str], known: Collection[str]) -> dict[str, object]:
    """The attributes of a profile, by the names and the spelling of the training data.

    An age band counts as its middle year, unless the training data has the band itself. What is not known
    keeps its words, so that it can be told.

    Args:
        profile: see `agreed_profile`.
        known: see `rectune.rankers.base.Ranker.attributes_known`.
    """
    spelt = {one.casefold(): one for one in known}
    found = dict[str, object]()
    for entry, value in profile.items():
        tried = [(name, one) for one in _values(entry, value) for name in _NAMES[entry]]
        name, known_as = next(
            ((name, spelt[key]) for name, one in tried if (key := f"{name}: {one}".casefold()) in spelt),
            (_NAMES[entry][0], ""),
        )
        found[name] = known_as.removeprefix(f"{name}: ") if known_as else value
    return found


def _values(entry: str, value: str) -> list[str]:
    """What an entry may stand for, the likeliest first."""
    numbers = [int(one) for one in re.findall(r"\d{1,3}", value)]
    if entry != "age_band" or not numbers:
        return [value]
    ten = (numbers[0] + numbers[-1]) // 2 // 10 * 10
    return [value, f"{ten}-{ten + 9}"]
