"""Which column of somebody's file is what, guessed from its name, in English and Korean."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

# Field of an item -> names under which its column is looked for, the likeliest first; lower case, letters and
# digits only.
ITEM_NAMES: dict[str, Sequence[str]] = {
    "title": (
        "title name itemtitle itemname productname producttitle booktitle movietitle headline "
        "제목 이름 상품명 제품명 품명 명칭"
    ).split(),
    "item_id": (
        "itemid itemcode item id sku asin isbn productid productcode goodsid movieid bookid gameid businessid "
        "contentid code key 상품번호 상품코드 상품id 제품번호 아이템id 번호 코드"
    ).split(),
    "categories": (
        "categories category categoryname genres genre tags tag type producttype kind section topic subject department "
        "카테고리 카테고리명 분류 장르 태그 종류"
    ).split(),
    "description": (
        "description productdescription itemdescription longdescription shortdescription desc summary overview synopsis "
        "abstract plot about text body content details 설명 상품설명 상세설명 내용 본문 줄거리 소개"
    ).split(),
    "year": "year releaseyear releasedate released published publicationyear date 연도 출시일 출간일 출판연도".split(),
}


def guessed(
    names: Mapping[str, Sequence[str]], there: Sequence[str], taken: Collection[str] = ()
) -> dict[str, str]:
    """Field -> the column that bears the likeliest of its names, for fields that have one; a column is used
    once.

    Args:
        names: of each field, the likeliest first.
        there: the columns; of two that read alike the first counts.
        taken: columns that are something else already.
    """
    found: dict[str, str] = {}
    plain: dict[str, str] = {}
    for column in there:
        if column not in taken:
            plain.setdefault(_plain(column), column)
    for field, likely in names.items():
        if name := next(filter(plain.get, likely), ""):
            found[field] = plain.pop(name)
    return found


def _plain(column: str) -> str:
    return "".join(sign for sign in column.casefold() if sign.isalnum())
