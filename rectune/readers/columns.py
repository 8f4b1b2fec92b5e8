"""Which column of somebody's file is what: as told, else guessed from its name, in English and Korean."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rectune.core.errors import UserError
from rectune.core.text.nearest import nearest
from rectune.core.text.plain import printable

# Field of an item -> names under which its column is looked for, the likeliest first; lower case, letters and
# digits only.
ITEM_NAMES: dict[str, Sequence[str]] = {
    "title": (
        "title name itemtitle itemname productname producttitle booktitle movietitle headline "
        "제목 이름 상품명 제품명 품명 명칭"
    ).split(),
    "item_id": (
        "itemid itemcode item id sku parentasin asin isbn productid productcode goodsid movieid bookid "
        "gameid businessid contentid code key 상품번호 상품코드 상품id 제품번호 아이템id 번호 코드"
    ).split(),
    "categories": (
        "categories category categoryname genres genre tags tag type producttype kind section topic subject "
        "department 카테고리 카테고리명 분류 장르 태그 종류"
    ).split(),
    "description": (
        "description productdescription itemdescription longdescription shortdescription desc "
        "summary overview "
        "synopsis abstract plot about text body content details 설명 상품설명 상세설명 내용 본문 줄거리 소개"
    ).split(),
    "year": (
        "year releaseyear releasedate released published publicationyear date 연도 출시일 출간일 출판연도"
    ).split(),
}
# The same for interactions.
INTERACTION_NAMES: dict[str, Sequence[str]] = {
    "user_id": (
        "userid user customerid customer memberid member reviewerid visitorid accountid uid "
        "profileid clientid "
        "회원번호 회원id 회원 고객번호 고객id 고객 사용자id 사용자 유저"
    ).split(),
    "item_id": ITEM_NAMES["item_id"],
    "value": (
        "value rating rate stars score overall points hours quantity count weight plays playcount "
        "평점 별점 점수 수량"
    ).split(),
    "timestamp": (
        "timestamp time datetime date unixtime unixreviewtime createdat created purchasedat "
        "orderdate eventtime "
        "일시 시각 시간 날짜 등록일 구매일 주문일"
    ).split(),
    # Never guessed: what people wrote is read only where somebody says which column it is.
    "text": (),
    "helpful": (),
}
_AN_ID = re.compile(r"(?:[\s_.-]id|[a-z0-9]I[dD]|[가-힣]id|asin|isbn\d*)$")
# Ids of other things than the items.
_OTHERS = tuple(
    "user customer member reviewer visitor account profile client person session order category genre brand "
    "author parent store shop imdb tmdb review event transaction".split()
)
_VALUE = re.compile(r"(?:rating|score|stars|평점|별점|점수)$")
_NO_VALUE = ("average", "avg", "mean", "total", "num", "count")
_SHOWN = 40  # columns that an error or a line names


@dataclass(frozen=True)
class Columns:
    """The columns of one file: which field each of them is (field -> column), and those that are none."""

    taken: dict[str, str]
    unused: tuple[str, ...] = ()

    def also(self, path: Path, there: Sequence[str], column: str, use: str) -> Columns:
        """The same, with a column (one of those `there`) that serves one more use, whatever else it is.

        Raises:
            UserError: there is no such column.
        """
        if column not in there:
            raise UserError(
                f"has no column {printable(column)} (for {use}){nearest(column, there)}",
                where=str(path),
                hint=f"columns: {shown(there)}",
            )
        return Columns(self.taken, tuple(each for each in self.unused if each != column))

    def describe(self) -> str:
        """What was taken for what, which column is the id, and what is not used."""
        said = [f"{printable(column)} as {field}" for field, column in self.taken.items()]
        unused = f"; not used: {shown(self.unused)}" if self.unused else ""
        return f"columns: {', '.join(said)}{unused}"


def find_columns(
    path: Path,
    there: Sequence[str],
    names: Mapping[str, Sequence[str]],
    mapped: Mapping[str, str],
    needed: Sequence[str] = (),
    facts: Sequence[str] = (),
    where: str = "the column map",
) -> Columns:
    """Which columns of a file are which fields; a column serves one field.

    Args:
        names: of each field, as `ITEM_NAMES`.
        mapped: field -> column, where a person said so; "" takes none.
        needed: fields that must be found.
        facts: further columns that are used as they are.
        where: what `mapped` comes from, for errors.

    Raises:
        UserError: a field or column is unknown, a column is mapped twice, or a needed field is not found.
    """
    columns = f"columns: {shown(there)}"
    for name in mapped:
        if name not in names:
            raise UserError(f"unknown field {name}{nearest(name, names)}", where=f"{where} of {path.name}",
                            hint=f"fields: {', '.join(names)}")  # fmt: skip
    told = {name: column.strip() for name, column in mapped.items() if column.strip()}
    wanted = [(f"for {name}", column) for name, column in told.items()] + [("a fact", each) for each in facts]
    for why, column in wanted:
        if column not in there:
            raise UserError(
                f"has no column {printable(column)} ({why}){nearest(column, there)}",
                where=str(path),
                hint=columns,
            )
    if twice := [column for column in told.values() if list(told.values()).count(column) > 1]:
        raise UserError(
            f"the column {twice[0]} is mapped twice", where=str(path), hint="map each column once"
        )
    unmapped = {name: likely for name, likely in names.items() if name not in mapped}
    found = told | guessed(unmapped, there, {*told.values(), *facts})
    taken = {name: found[name] for name in names if name in found}
    if lack := [name for name in needed if name not in taken]:
        raise UserError(
            f"no column looks like {' or '.join(lack)} among: {shown(there)}",
            where=str(path),
            hint=f"name the column in {where}; or name all columns if there is no header line",
        )
    used = {*taken.values(), *facts}
    return Columns(taken, tuple(column for column in there if column and column not in used))


def guessed(
    names: Mapping[str, Sequence[str]], there: Sequence[str], taken: Collection[str] = ()
) -> dict[str, str]:
    """Field -> the column that bears the likeliest of its names, for fields that have one; a column is used
    once.

    An id may bear any name that ends like one (`anime_id`), a value any that ends like a rating
    (`Book-Rating`).

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
    for field, test in (("item_id", _names_an_id), ("value", _names_a_value)):
        if field in names and field not in found:
            name = next((name for name, column in plain.items() if test(name, column)), "")
            if name:
                found[field] = plain.pop(name)
    return found


def shown(names: Iterable[str]) -> str:
    """Names of columns on one line; they are anybody's, so control characters are written out."""
    told = list(names)
    rest = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return ", ".join(printable(name).replace("\n", "␊") for name in told[:_SHOWN]) + rest


def _names_an_id(plain: str, column: str) -> bool:
    return bool(_AN_ID.search(column) or _AN_ID.search(column.lower())) and not plain.startswith(_OTHERS)


def _names_a_value(plain: str, column: str) -> bool:
    return bool(_VALUE.search(plain)) and not plain.startswith(_NO_VALUE)


def _plain(column: str) -> str:
    return "".join(sign for sign in column.casefold() if sign.isalnum())
