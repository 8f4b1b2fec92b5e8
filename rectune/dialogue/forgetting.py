"""What a message wants to be forgotten, in words."""

from __future__ import annotations

import re

from rectune.core.types import Locale
from rectune.dialogue.phrases import phrases_in

_ALL = re.compile(
    r"\b(?:everything|all|me\b|whatever)|what you (?:know|remember)|"
    r"전부|모두|모든|다 (?:잊|지워|삭제)|나에 대한|나를|저를|싹"
)
_LEAD = re.compile(
    r".*?\b(?:forget|delete|erase|remove)\b(?: about)?(?: that| the fact that)?(?: i(?:'ve|'m| am)?| my| we)?"
    r"(?: (?:ever |once |don't |do not |said |told you )*(?:like|liked|love|loved|hate|hated|enjoy"
    r"|avoid|want|wanted|said"
    r"|saw|seen|watched|into|about|that|i|am|a fan of))*"
)
_TRAIL = re.compile(
    r"(?:를|을|은|는|이|가)?\s*(?:좋아한다는|좋아하는|싫어한다는|싫어하는|봤다는|본|말한"
    r"|원한다는)?\s*(?:거|것|걸|건|사실|말)?(?:은|는|을|를)?"
    r"\s*(?:좀 )?(?:잊어|지워|삭제|기억하지|잊으세요|없던).*"
)
_SELF = re.compile(r"^(?:내가|제가|나는|저는|난|전|아까|이제)\s+")


def asks_for_all(low: str) -> bool:
    """Whether all is to be forgotten."""
    return _ALL.search(low) is not None


def words_to_forget(low: str, locale: Locale) -> list[str]:
    """The things that are to be forgotten, where the catalogue has no word for them."""
    if locale == "ko":
        return phrases_in(_SELF.sub("", _TRAIL.sub("", low)), locale)
    return phrases_in(_LEAD.sub("", low, count=1), locale)
