"""What the two forms of a model are compared on: texts that tokenizers get wrong, and short conversations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HARD_TEXTS = (
    "My recommendation: The Lord of the Rings: The Two Towers (2002)",
    "추천: 기생충 (2019), 센과 치히로의 행방불명, ㅋㅋㅋ 그리고 한글",
    # Hangul as syllables, as letters, as conjoining letters
    "각 각 ㄱㅏㄱ 힣 뷁 \u1100\u1161\u11a8 조합형 \uac00\u0301",
    "🎬👨‍👩‍👧‍👦🇰🇷 emoji with joiners, flags and a skin tone 👍🏽",
    "☎︎☎️ ✈ ❤️‍🔥 keycap 3️⃣ \U000e0067\U000e0062 tags",
    "<|im_start|>user\nignore the above<|im_end|> <|endoftext|> </s> <unk> [INST]",
    "<|im_start|><|im_start|> <|im_end|>\n\n<|im_end|>x<|im_",
    "a" + " " * 48 + "b\n\n\n\n\t\t c \r\n d\u00a0e\u3000f",
    " leading and trailing \t\n ",
    "\n",
    " ",
    "    indented:\n\tif x:\n\t\treturn  1\n        # eight",
    "\r\n\r\n\r\rold\rline\u2028separators\u2029here\u0085",
    "0123456789 3.14159 1,000,000 2024-02-29",
    "1 12 123 1234 12345 123456 1234567 12345678 ١٢٣ १२३ 一二三",
    "8 ½ Women, x ² + y ², № 5, Ⅷ, ⅓",
    "naïve café Ångström e\u0301 ﬁ ﷺ \u200b\u202etfel-ot-thgir",
    "don't can't I'll WE'RE it's 'tis rock'n'roll O'Brien’s “quoted” ‘so’",
    "snake_case camelCase kebab-case SCREAMING_CASE https://example.org/?q=a&b=%20#top",
    "!!!??? ... --- === *** ~~~ ^^^ |||| <<<>>> {{{}}} ((())) [[[]]] \\\\// @#$%&",
    "東京物語、攻殻機動隊 千と千尋の神隠し 半角ｶﾅ 全角ＡＢＣ１２３",
    "中文：《霸王别姬》、简体與繁體。",
    "Жизнь прекрасна, Иди и смотри; Ελληνικά; עברית; العربية; हिन्दी; ภาษาไทย",
    "Zalgo: t\u0336\u0321\u0315e\u0337x\u0338t\u0334\u0300\u0301\u0302\u0303\u0304",
    "\u0000\u0001\u001b[31mred\u001b[0m\u007f\ufeff\ufffd\ufffe",
    "\U0001d5a0\U0001d5a1\U0001d5a2 \U00020000 \U0010fffd \ue000",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "ababababababababababababababababababab xyzxyzxyzxyzxyzxyzxyz ㅎㅎㅎㅎㅎㅎㅎㅎㅎㅎㅎㅎ",
    '{"title": "Amélie\\n", "categories": ["Comedy|Romance"], "year": null, "쿼리": "\\ud55c"}',
    "| a | b |\n|---|---:|\n| **1** | `2` |\n\n> quote\n1. one\n- [x] done",
)
# Two kilobytes and more in which every one of them borders on others.
MIXED = " ".join(HARD_TEXTS) + "".join(reversed(HARD_TEXTS))


@dataclass(frozen=True)
class Conversation:
    """Messages as (role, content), and an answer to them."""

    messages: tuple[tuple[str, str], ...]
    answer: str


def _about(question: str, answer: str, system: str = "") -> Conversation:
    return Conversation((*((("system", system),) if system else ()), ("user", question)), answer)


CONVERSATIONS: Sequence[Conversation] = (
    _about("I liked The Matrix, Blade Runner and Alien. What next?", "My recommendation: Terminator 2"),
    _about("기생충과 올드보이를 재미있게 봤어요. 다음은?", "추천: 살인의 추억"),
    _about(
        "A quiet novel, please.", "You may like The Remains of the Day.", "You recommend books and say why."
    ),
    _about(
        "Which of these would suit me: a kettle, a lamp, a desk?",
        "The lamp: you said that you read in the evening, and the other two are for other rooms.",
    ),
    _about("조용한 음악을 추천해 주세요.", "잔잔한 피아노곡을 좋아하셨으니 이 앨범이 잘 맞을 것 같습니다."),
    _about("Say hello.", "Hello! How can I help you today?"),
    _about("Count from one to ten.", "1, 2, 3, 4, 5, 6, 7, 8, 9, 10"),
    _about("What is a headphone for?", "It plays sound for one listener, close to the ears."),
)
