"""Words that say nothing about an item: function words, and general words of recommending."""

from __future__ import annotations

FUNCTION_WORDS = frozenset(
    """
    a about after all also am an and any are around as at be because been before both but by can could did do
    does for from had has have having he her here hers him his how i if in into is it its itself just me more
    most my no not of on once one only or other our out over own she should so some such than that the their
    them themselves then there these they this those through to too under until up very was we were what when
    where which while who whose why will with within without would yet you your yours yourself it's you're
    you've you'll you'd i'm i've
    that's there's they're he's she's we're isn't don't doesn't won't can't
    """.split()
)
"""English articles, pronouns, prepositions, conjunctions, auxiliaries."""

GENERAL_ENGLISH = frozenset(
    """
    like liked likes liking love loved enjoy enjoyable please pleasant pleasure suit suitable fit match appeal
    appreciate favourite favorite prefer preference taste interest fan fond drawn wish want look search find
    found ask recommend recommendation suggest suggestion choice choose chosen chose pick option answer offer
    good great best better well right perfect ideal worth nice fine excellent ready sure certain certainly
    clear clearly probably perhaps maybe might may must shall seem appear
    film movie story stories book novel game album music song track article news piece product item place
    work title name watch view viewer read reader listen listener play player hear heard visit visitor buy
    bought buyer use useful user try tried
    genre theme plot setting mood tone style kind sort type feature character scene world reason experience
    content
    make made take took taken get got give gave given go goes went gone come came keep kept put let bring
    brought show shown see saw seen know knew known tell told say said speak spoke think thought feel felt
    become became turn happen follow need help add include begin began start end lead led stay leave left
    hold held set meet met call live spend spent learn serve run
    way thing part bit lot much many few little less every each another someone somebody something anyone
    anybody everyone everybody everything people person time day today next last first again always never ever
    often still already since together among along across against even rather quite enough really truly new
    different same similar instead upon near far away back down off long short small big large high low full
    whole share common combine base catalogue list description word rank role mind heart touch attention eye
    fact sense
    """.split()
)
"""English words that fit any item, irregular forms too; others are recognised by their stems."""

GENERAL_KOREAN = frozenset(
    """
    좋아하 좋 즐기 즐겁 마음 들 맞 알맞 어울리 찾 바라 원하 보 읽 듣 하 되 있 없 같 권 권하 추천 선택 취향
    관심 느낌 재미 재미있 반갑 끌리 궁금하 만족 기대 드리 드시 가 오 주 받 쓰 만들 나오 가지 알 알리 말 말하
    일 때 곳 위 속 안 밖 앞 뒤 사이 다음 이번 자리 모습 이야기 내용 작품 영화 책 소설 게임 앨범 음악 노래 곡
    상품 제품 장소 기사 소식 뉴스 애니메이션 항목 관객 독자 이용자 플레이어 장르 분위기 주제 줄거리 배경
    인물 주인공 종류 스타일 특징 이유 사람 모두 하나 많 크 작 적 새롭 다르 비슷 비슷하 가깝 멀 길 짧 높 낮
    이르 통하 위하 대하 관하 따르 담 담기 이루 펼치 다루 보이 들려주 느끼 생각 경험 매력 정도 자체 시간 가능
    필요 중요 도움 사용 이용 포함 소개 검색 목록 제목 쓸모 보내 지나 바꾸 바뀌 고르 넣 놓이 두 살 시작
    시작되 끝 문제 방법 글 정보 분류 적히 이렇 설명 가운데 순위 이름 년대
    공통점 알려지 앞서 정보
    """.split()
)
"""Dictionary forms of Korean words that fit any item; verbs and adjectives without 다."""
