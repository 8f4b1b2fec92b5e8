"""Sentences of a report in the reader's language: the English sentence in the code is the key, as in gettext.

It is not the standard library's gettext, which reads compiled .mo files alone: there is no compiler for them
in the library, and a binary file cannot be reviewed. A table of sentences and `str.format` do the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from rectune.core.types import Locale

_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Translation:
    """One language. It is passed along to whatever words something; nothing keeps a current language.

    Attributes:
        locale: the language.
        sentences: by the English sentence, with the same {named} placeholders. A sentence that is not in it
            stays English: a report must not fail for a missing word (a test fails instead).
        written: the same for sentences that earlier stages wrote into their figures, in English.
    """

    locale: Locale
    sentences: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, sentence: str, /, **values: object) -> str:
        """The sentence with its values, which are not translated; without values braces stay as they are."""
        found = self.sentences.get(sentence, sentence)
        return found.format(**values) if values else found

    def each(self, *sentences: str) -> tuple[str, ...]:
        """Several of them, such as the heads of a table."""
        return tuple(map(self, sentences))

    def stored(self, text: str) -> str:
        """What a stage wrote into its figures: a sentence of `written` with its values, which may be such
        sentences themselves; any other text as it is.
        """
        for pattern, sentence in self._patterns:
            if found := pattern.fullmatch(text):
                values = {name: self.stored(value) for name, value in found.groupdict().items()}
                return sentence.format(**values)
        return text

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str]]:
        """Those without placeholders first, so that a whole sentence is not taken for a part of another."""
        keys = sorted(self.written, key=lambda key: len(_PLACE.findall(key)))
        return [(_pattern(key), self.written[key]) for key in keys]


ENGLISH = Translation("en")


def _pattern(sentence: str) -> re.Pattern[str]:
    """What matches the sentence with any values."""
    pieces = _PLACE.split(sentence)  # text and names of placeholders in turn
    named = (f"(?P<{piece}>.+?)" if place % 2 else re.escape(piece) for place, piece in enumerate(pieces))
    return re.compile("".join(named), re.DOTALL)
