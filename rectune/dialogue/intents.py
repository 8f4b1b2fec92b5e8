"""What a message asks for, by rules, in English and Korean."""

from __future__ import annotations

import re
from typing import Literal

from rectune.core.types import Locale
from rectune.dialogue.pointing import PRONOUN_KO

Ask = Literal[
    "recommend", "why", "others", "not_that", "shorter", "longer", "like_that", "about_me", "forget",
    "thanks", "greeting", "about_item", "able", "best", "tell", "nothing",
]  # fmt: skip
"""`thanks`: gratitude, approval or a farewell; `able`: what can be asked; `best`: which of those shown
to take; `tell`: something is said and nothing asked; `nothing`: the rules find nothing in it."""

_END = r"(?=\s*$|[,.!?~])"
_PRONOUN = r"(?:that|this|it|those|these|them)(?: one| ones| film| movie| book| game| album| song| place)?"
_NTH = (
    r"(?:the )?(?:(?:first|second|third|fourth|fifth|last|1st|2nd|3rd|4th|5th)(?: one| "
    r"film| movie| book| game| album"
    r"| song| item| place| article)?|(?:number |no\. ?|#)[1-5]\b)"
)
_NTH_KO = (
    r"(?:(?:첫|두|세|네|다섯) ?번째|[1-5] ?번(?:째)?|마지막)(?: ?(?:거|것|영화|책|게임|작품|노래|앨범|애니))?"
)

# After "too": what is no refusal of what was shown, and what is one after "a bit", too.
_KIND_KO = (
    r"길|좋|재밌|재미있|고마|감사|우울|피곤|슬프|슬퍼|외로|힘들|답답|심심|설레|행복|기대|보고|궁금|추천"
    r"|놀라"
)
_UNKIND_KO = r"지루|유치|무서|잔인|무거|어려|어두|뻔"

_ENGLISH: tuple[tuple[Ask, str], ...] = (
    ("forget", r"(?<!don't )(?<!do not )(?<!never )(?<!not )\bforget (?:that|about|what|everything"
        r"|all|my|the fact|i |me)|\b(?:changed|change) my mind (?:about|on)\b"),
    ("forget", r"\b(?:delete|erase|remove) (?:that|what you know|everything|my|all|the fact)"),
    ("forget", r"\b(?:stop|don't|do not) remember(?:ing)?\b"),
    (
        "about_me",
        r"\bwhat (?:do|did|have) you (?:\w+ )?(?:know|remember|learn(?:ed|t)?|think|got"
        r"|stored|saved|remembered)(?: \w+){0,3}"
        r" (?:about me|of me|on me|i like|i love|i hate|my taste)|\bwhat do you (?:know"
        r"|remember)\s*\?*$|\bwhat do i like\b"
        r"|\bwhat (?:did|have) i (?:say|said|tell|told)\b"
        r"|\bwho am i\b|\bwhat(?:'s| is) my (?:taste|profile)|\bshow (?:me )?(?:my "
        r"(?:profile|taste|memory)|what you know)",
    ),
    ("about_me", r"\bdo you (?:still )?(?:remember|know) (?:me|what i like|my taste)"),
    ("able", r"\bwhat (?:can|could) (?:you|i) (?:do|ask|say)\b|\bhow (?:do|does) (?:you|this|it|that) work\b"
        r"|^(?:please )?help(?: me)?[.!?]*$|\bwho are you\b|\bwhat are you(?: for)?\s*\?"),
    ("best", r"\bwhich (?:one|of (?:these|those|them))?(?: film| movie| book| game| album)? ?(?:is|are|was"
        r"|would be"
        r"|do you think is)? ?(?:the )?(?:best|better)\b|\bwhich (?:one )?(?:should|would|do) (?:i|you|we)\b"
        r"|\bpick (?:just )?one\b|\bjust one\b"),
    ("why", r"(?:^|[.!?,] ?|\b(?:and|but|so|ok|okay|hm+) )why\b(?! not\b| don't| do not| "
        r"should(?:n't)? i be)"),
    ("why", r"\bhow come\b|\bwhat makes you (?:think|say|recommend)|\bwhat(?:'s| is) the reason"
        r"|\bexplain (?:that|this|why|your)"),
    ("longer", r"\b(?:more detail(?:s|ed)?|longer answers?|in detail|elaborate|(?:please )?explain more)\b"),
    ("shorter", r"^(?:(?:please|a bit|much|even|make it|keep it|be|ok|okay|can you be|could you be) "
        rf")*(?:shorter|briefer|brief|short)\b(?: please)?{_END}"),
    ("shorter", r"\b(?:shorter|briefer|brief|short) (?:answers?|repl(?:y|ies)|sentences|version"
        r"|please)\b|\btoo (?:long|much text|wordy)\b(?! (?:a |for me|film|movie|book))"
        r"|\bless text\b|\bin (?:short|brief)\b|\bkeep it (?:short|brief)"),
    ("not_that", rf"\bnot (?:{_NTH}|{_PRONOUN}){_END}|\b(?:i )?(?:don't|do not) (?:want|like|need) "
        rf"(?:{_NTH}|{_PRONOUN}){_END}"),
    ("not_that", rf"^(?:no|nope|nah)[,.! ]*(?:{_PRONOUN}|please)?{_END}$|\banything but (?:{_NTH}"
        rf"|{_PRONOUN}){_END}"),
    ("not_that", rf"^(?:no|nah|hm+|sorry|well|oh)?[,.! ]*(?:(?:{_NTH}|{_PRONOUN})(?:'s| is| are|'re| was"
        rf"| were| looks?"
        rf"| sounds?| seems?)?(?: all| both)? |they're |they are )?(?:a bit |a little |way |far |much )?too "
        rf"(?!long\b|much\b)\w+(?: for (?:me|us|my \w+))?{_END}"),
    ("like_that", rf"\b(?:like|similar to|(?:along )?the lines of|as) (?:{_NTH}|{_PRONOUN}){_END}"
        rf"|\bmore like (?:{_NTH}|{_PRONOUN})|\bmore of (?:that|this|it)\b"),
    ("others", r"\bmore of (?:those|these|them|the same)\b|^(?:h+m+|um+|well|er+)?[,. ]*(?:i(?:'m"
        r"| am)? )?(?:really )?"
        r"(?:not sure|don't know|dunno|no idea|undecided|can't decide)(?: yet| really)?[.! ]*$"
        r"|\b(?:something|anything|somewhere) (?:else|different|new|other)\b|\b(?:any|some"
        r"|show me|give me|got any|what) others?\b|\bother (?:ones|options|suggestions|ideas"
        r"|recommendations)\b|\banother(?: one| suggestion| idea)?\b|\bwhat else\b|\b(?:more"
        r"|new) (?:suggestions|recommendations|options|ideas)\b|\bnext(?: ones?)?" + _END
        + r"|^(?:more|again|others|else)(?: please)?" + _END),
    ("about_item", r"\b(?:what's|what is) the difference\b|\b(?:is|are) (?:it|that|this|they|\ufffc+|"
        rf"{_NTH}) (?:\w+ )?(?:suitable|ok|okay|good|fine|safe|appropriate|right) for\b"
        rf"|\bshow (?:me )?(?:that|it|this)"
        r"(?: one)? again\b|\b(?:tell me|know|say) (?:something |anything )?(?:more )?about (?!me\b)|\bwhat "
        rf"(?:is|was|'s) (?:{_NTH}|{_PRONOUN}|\ufffc+)(?: about| like)?\s*\?|\bwhat's "
        rf"(?:{_NTH}|{_PRONOUN}|\ufffc+)(?: about| like)?\s*\?|\bwho (?:made|directed|wrote"
        rf"|plays|is in|acted|stars|composed|sings|published)\b|\bwhen was (?:{_NTH}"
        rf"|{_PRONOUN}|\ufffc+)|\b(?:is|was|are) (?:{_NTH}|{_PRONOUN}|\ufffc+) (?:\w+ "
        rf"?){{1,4}}\?|\bhow long (?:is|are|does)\b"),
    ("thanks", r"^(?:ok(?:ay)?,? |great,? |perfect,? |cool,? )*(?:thanks?(?: you)?|thx|cheers|much "
        r"appreciated)\b(?:[ ,]*(?:so|very) much|[ ,]*a lot|[ ,]*that's (?:great|all|it"
        r"|perfect))*[.! ]*$|^(?:great|perfect|cool|nice|awesome|sounds good|ok|okay|all right|alright"
        r"|got it|i see)[.! ]*$"),
    ("thanks", r"^(?:(?:ok(?:ay)?|thanks?|thank you|great|that's all|no thanks)[,.! ]*)*(?:good ?bye"
        r"|bye(?:[ -]bye)?"
        r"|good ?night|see you(?: later| soon)?|that's all|take care|i'm done)[.! ]*$"),
    ("thanks", rf"^(?:oh|ok|okay|yes|yeah|wow|hm+|great|cool)?[,. ]*(?:(?:{_NTH}|{_PRONOUN}|\ufffc+|both"
        rf"|they|all of them)"
        r" (?:all |both )?(?:sounds?|looks?|seems?) (?:really |very |pretty |quite |so )?(?:good|great"
        r"|nice|perfect"
        r"|interesting|fun|cool|fine|promising|lovely)(?: to me)?|(?:that|it|this) works(?: for me)?"
        r"|that's (?:good"
        rf"|fine|perfect|nice)|i(?:'ll| will) (?:take|watch|go (?:with|for)|try|read|play) (?:{_NTH}"
        rf"|{_PRONOUN}|\ufffc+))"
        r"[.! ]*$"),
    ("greeting", r"^(?:hi|hello|hey|good (?:morning|evening|afternoon)|greetings|howdy)(?: there| "
        r"again| rectune)?[,.! ]*(?:how are you\??)?$"),
    ("recommend", r"\b(?:whatever|you (?:choose|decide|pick)|up to you|i don't (?:mind|care)|no preference"
        r"|either"
        r"|any of (?:them|those)|what's (?:new|popular|hot|good)|what is (?:new|popular))\b"),
    ("recommend", r"\b(?:recommend|suggest|suggestions?|recommendations?|surprise me|what (?:should"
        r"|could|can|shall) (?:i|we) (?:watch|see|read|play|listen|try|buy|visit)|looking "
        r"for|i want|i'd like|give me|show me|find me|i need|what do you have|in the mood "
        r"for|anything|something|got any|do you have)\b"),
)  # fmt: skip

_KOREAN: tuple[tuple[Ask, str], ...] = (
    ("forget", r"잊어 ?(?:줘|주|버려|라)|지워 ?(?:줘|주)|삭제해 ?(?:줘|주)|기억하지 ?(?:마|말)"
        r"|잊으세요|없던 (?:걸로|일로)|(?:생각|마음)이 바뀌\S*[.! ]*$|이제(?:는)? (?:괜찮아졌|괜찮아"
        r"|봐도 (?:돼|괜찮))"),
    (
        "about_me",
        r"(?:나|저|내|제|날|절)(?:에 대해|에 대해서|에 관해|를| 취향|에 대한| 취향을| 취향은"
        r"| 취향에 대해)? ?(?:뭘|뭐|무엇을|무얼|얼마나|어떻게|어떤 걸)?"
        r" ?(?:알아|알고|아니\?|아세요|기억해\?|기억하고|기억나|기억하니|뭐야|뭐예요|파악)",
    ),
    ("about_me", r"(?:나|저|내|제)(?:에 대해|에 대해서|에 관해|에 대한)? ?(?:기억하는|아는) (?:거|것"
        r"|걸)(?!.*(?:지워|잊|삭제))"),
    ("about_me", r"(?:내|제)가 (?:뭘|뭐|무엇을) (?:좋아|싫어)|뭘 기억|뭐 기억|내가 누구|제가 누구"),
    ("able", r"(?:뭐|뭘|무엇을|무얼) ?(?:할|해 줄|물어볼) 수 있|어떻게 (?:쓰는|써|사용)|도움말|^(?:넌|너는"
        r"|너|당신은)? ?누구(?:야|세요|니)"
        r"|^도와 ?(?:줘|주세요)"),
    ("best", r"(?:뭐가|어떤 게|어느 게|어떤 것이|어느 것이|뭘) ?(?:제일|가장|더) ?(?:좋|재밌|재미있|나|낫"
        r"|추천|볼)"
        r"|하나만 (?:골라|고르|추천해|꼽)|뭐가 (?:나을|좋을)"),
    ("why", r"(?:^|[ .,!?])왜(?:요|지|죠|일까|야|인데)?(?=[ ?.!]|$)(?!냐하면)(?! ?그런지| ?인지)"
        r"|이유(?:가|는|를|를 좀)? ?(?:뭐|뭔|무엇|알려|말해|설명|궁금)|어째서|무슨 이유"
        r"|근거(?:가|는) ?(?:뭐|뭔|무엇)"),
    ("longer", r"(?:더 )?(?:자세히|자세하게|길게|구체적으로)(?: ?(?:말|설명|알려|얘기|이야기))?"),
    ("shorter", r"(?:더 |좀 |조금 )*(?:짧게|간단히|간단하게|간략히|간략하게|요약해)|(?:말|답|설명"
        r"|대답|글)(?:이|은)? (?:너무 )?(?:길어|기네|많아)|^(?:너무 )?길어(?:요)?[.! ]*$"),
    ("not_that", rf"(?:{_NTH_KO}|{PRONOUN_KO}|그런 ?거|이런 ?거)(?:은|는|건|만)? ?(?:말고|말구|빼고"
        r"|싫|아니|별로)|(?:그건|이건|그런 건|이런 건) (?:싫|아니|별로|말고)|^(?:아니|아니야"
        r"|아니요|아뇨|싫어|싫어요)[.! ]*$"
        rf"|^(?:(?:그건|이건|그거|이거|둘 다|다) )?(?:너무 (?!{_KIND_KO})|(?:좀"
        rf"|조금) (?={_UNKIND_KO}))[가-힣]+"
        r"(?:해|워|아|어|여|려|네|다)(?:요)?[.!~ ]*$"),
    ("like_that", rf"(?:{_NTH_KO}|{PRONOUN_KO}) ?(?:이?랑|과|와|하고)? ?(?:같은|비슷한|비슷하게|처럼|같이)"),
    ("others", r"^(?:음+|글쎄|흠+)?[ ,.~]*(?:(?:잘 )?(?:모르겠|모르겄)(?:어|네|다|는데)?(?:요)?"
        r"|글쎄(?:요)?)[.~ ]*$"
        r"|(?:뭔가 |좀 |아예 )*(?:다른|또 다른|새로운) ?(?:거|것|걸|건|영화|책|게임|작품|노래"
        r"|앨범|추천|애니|곳|데|기사|상품)|또 ?(?:없|있|추천|뭐)|더 (?:없|있|추천|보여|골라)"
        r"|^(?:다음|더|또|하나 더)(?: ?(?:거|것|줘|추천))?(?:요)?[.!? ]*$|다시 추천|그 ?외에"),
    ("about_item", r"처음에? ?(?:추천|보여|말)\S* ?(?:준|한)? ?(?:거|것|영화|책|게임)"),
    ("about_item", r"(?:뭐가|무엇이|어떻게) ?(?:달라|다르|다른)|차이(?:가|는|점)|(?:애|아이)(?:들)?(?:이"
        r"|도|랑|가)? ?(?:같이 )?봐도 ?(?:돼|되나|될까"
        r"|괜찮아|괜찮을까)(?:요)?\s*\?*$"
        r"|(?:그거|이거|저거) 다시 (?:보여|알려)"),
    ("about_item", r"(?:에 대해|에 관해|에 대해서|이야기|얘기|줄거리|내용|정보)(?:를|을|좀| 좀)? "
        r"?(?:더 )?(?:알려|말해|설명|얘기해|들려)|어떤 (?:영화|책|게임|작품|내용|이야기|노래"
        r"|앨범|애니|곳)(?:야|예요|이야|인가|인지|이에요|이죠|입니까|인데)?\s*\?|무슨 "
        r"(?:내용|이야기|영화|책|게임)|(?:줄거리|내용|감독|작가|배우|가수)(?:이|가|은|는)? "
        r"(?:뭐|뭔|누구|어때|어떻게)|누가 (?:만들|나오|나와|감독|썼|불렀)|언제 (?:나왔|나온|만들"
        r"|개봉)|몇 (?:분|년)"),
    ("thanks", r"^(?:네 |응 |아 |정말 |너무 )*(?:고마워|고맙|감사|땡큐|ㄱㅅ)(?:요|습니다|해|해요"
        r"|합니다|드려요)?[.!~ ]*$|^(?:좋아요?|좋네요?|알겠어요?|알겠습니다|오케이|굿|ㅇㅋ|ㅇㅇ|ㄱㄱ|넵|네|응"
        r"|완벽해요?)[.!~ ]*$"),
    ("thanks", r"^(?:(?:고마워(?:요)?|고맙습니다|감사합니다|감사해요|네|응|그럼"
        r"|이제)[ ,.!~]*)*(?:잘 ?자(?:요)?|잘 ?가(?:요)?"
        r"|잘 있어(?:요)?|안녕히 \S+|다음에 (?:봐|또)\S*|또 (?:올게|봐|봬)\S*|(?:이만|그만) (?:갈"
        r"|할)게\S*|바이(?:바이)?|수고\S*)[.!~ ]*$"),
    ("thanks", rf"^(?:오+|와+|음+|네|응)?[ ,.!~]*(?:(?:{_NTH_KO}|{PRONOUN_KO}|\ufffc+|[1-5]번|둘|셋)(?:이"
        rf"|가|은|는|도)? ?(?:다 )?)?"
        r"(?:괜찮(?:네|아|겠|은데|다)|좋(?:네|다|은데|겠)|재밌겠|재미있겠|끌리네|마음에 (?:들|드))(?:요"
        r"|어|어요|네|네요|다|습니다)*[.!~ ]*$"),
    ("greeting", r"^(?:안녕(?:하세요|하십니까)?|하이|반가워(?:요)?|반갑습니다|헬로)[.!~ ]*$"),
    ("recommend", r"아무 ?거나|상관 ?없|알아서|인기 (?:있는|많은)|최신|신작"),
    ("recommend", r"추천|(?:보고|읽고|듣고|하고|해 보고|찾고) ?(?:싶|있)|찾아 ?(?:줘|주)|(?:뭐|무얼|뭘"
        r"|무슨 \S+) ?(?:볼|읽|들|하면|살|보면|봐|할)|볼 ?만한|있어\?|있나|있을까|없을까"
        r"|없나|없어\?|땡겨|당겨|골라|보여 ?(?:줘|주)|어때|주세요|줘(?:요)?[.! ]*$|부탁|볼까"
        r"|읽을까|볼래|원해|필요해"),
)  # fmt: skip

_UNSEEN = re.compile(
    r"\b(?:haven't|have not|never|didn't|hadn't) (?:yet |ever |actually )?(?:seen"
    r"|watched|read|played|heard|saw|see|watch)\b"
    r"|(?:안|못) ?(?:봤|읽었|들었)|적(?:이|은)? ?없"
)
_GRATEFUL = re.compile(r"\bthank|\bthx\b|\bcheers\b|appreciated|고마|고맙|감사|땡큐|ㄱㅅ")
_FAREWELL = re.compile(
    r"\bbye\b|goodbye|good ?night|see you|that's all|take care|i'm done|잘 ?자|잘 ?가|잘 있어|안녕히"
    r"|다음에 (?:봐|또)"
    r"|또 (?:올게|봐|봬)|(?:이만|그만) (?:갈|할)게|바이|수고"
)
_THERE = re.compile(
    r"\b(?:do you have|have you got|is there|you got)\b|있어(?:요)?\s*\?*$|있나(?:요)?\s*\?*$|있습니까"
    r"|있을까(?:요)?"
)
# A length that is wanted of an item, not of the answer.
_OF_ITEMS = re.compile(
    r"\b(?:something|anything|films?|movies?|books?|games?|one|ones) short(?:er)?\b|\bshort(?:er)? "
    r"(?:film|movie|book|game|one)"
    r"|짧은 ?(?:거|것|걸|영화|책|게임|작품)"
)


def ask_of(text: str, locale: Locale) -> Ask:
    """What a message asks; `nothing` where no rule matches.

    Args:
        text: in lower case, with U+FFFC in place of titles.
        locale: its language.
    """
    for ask, pattern in _COMPILED[locale]:
        if pattern.search(text):
            return ask
    return "nothing"


def says_farewell(text: str) -> bool:
    """Whether somebody takes leave."""
    return _FAREWELL.search(text) is not None


def says_thanks(text: str) -> bool:
    """Whether somebody is grateful."""
    return _GRATEFUL.search(text) is not None


def asks_whether_there(text: str) -> bool:
    """Whether it is asked if the catalogue has something: `do you have …?`, `… 있어?`."""
    return _THERE.search(text) is not None


def says_unseen(text: str) -> bool:
    """Whether somebody says that they do not know an item yet."""
    return _UNSEEN.search(text) is not None


def wants_shorter_items(text: str) -> bool:
    """Whether a shorter item is wanted, not a shorter answer."""
    return _OF_ITEMS.search(text) is not None


_COMPILED: dict[Locale, list[tuple[Ask, re.Pattern[str]]]] = {
    "en": [(ask, re.compile(pattern)) for ask, pattern in _ENGLISH],
    "ko": [(ask, re.compile(pattern)) for ask, pattern in _KOREAN],
}
