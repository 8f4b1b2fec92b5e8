"""Layout of the tagging screen: its style sheet, columns of answers, and pale or bold text."""

from __future__ import annotations

from textual.content import Content

from rectune.align.answer_diff import conclusion, shared

REQUEST = 0.35  # of the screen's lines at most are the request's

_COLUMN = 36  # cells an answer needs to stand beside another

STYLE = f"""
#title {{ height: 1; padding: 0 1; background: ansi_blue; color: ansi_bright_white; text-style: bold; }}
#request {{ height: auto; max-height: {REQUEST:.0%}; border-left: blank; padding-right: 1; }}
.extra {{ height: auto; max-height: 3; padding: 0 2; text-style: bold; display: none; }}
.extra.shown {{ display: block; }}
#answers {{ height: 1fr; border-left: blank; }}
#request:focus, #answers:focus {{ border-left: tall $accent; }}
#columns {{ height: auto; layout: grid; grid-size: 1; grid-rows: auto; grid-gutter: 0 1; }}
.answer {{ height: auto; border-top: solid $foreground; padding-right: 1; }}
.answer.best {{ border-top: heavy $success; border-title-color: $success; border-title-style: bold; }}
.answer.worst {{ border-top: heavy $error; border-title-color: $error; border-title-style: bold; }}
#status, #keys {{ height: 1; padding: 0 1; }}
#status {{ text-style: bold; }}
"""


def across(answers: int, width: int) -> int:
    """The number of answers side by side on a screen of this many cells: all, half of them, or one.

    Two rows of two are no easier to compare, so such answers are stacked.
    """
    rows = -(-answers // max(width // _COLUMN, 1))
    found = -(-answers // rows)
    return found if rows == 1 or (rows == 2 and found > 2) else 1


def painted(texts: list[str]) -> list[Content]:
    """Answers with shared wording in pale, and recommendations in bold."""
    shown = []
    for text, pale in zip(texts, shared(texts), strict=True):
        point = conclusion(text)
        content = Content(text).stylize("bold", *point) if point[0] < point[1] else Content(text)
        for start, end in pale:
            if end <= point[0] or point[0] == point[1]:
                content = content.stylize("dim", start, end)
        shown.append(content)
    return shown
