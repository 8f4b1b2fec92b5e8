"""In which script a text is written, as far as searching it is concerned."""

from __future__ import annotations

import re

# Hangul, kana, Chinese characters, Thai: words there carry particles or have no spaces between them.
_UNSPACED = re.compile("[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\u0e00-\u0e7f]")
_READ = 2000  # characters that are looked at


def is_unsegmented(text: str) -> bool:
    """Whether full text must go by runs of letters, since words do not stand alone: a fifth of the letters says so."""
    letters = [letter for letter in text[:_READ] if letter.isalpha()]
    return 5 * sum(bool(_UNSPACED.match(letter)) for letter in letters) >= max(1, len(letters))
