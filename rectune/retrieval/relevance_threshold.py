"""The similarity below which no item of a catalogue fits a request, calibrated without interactions.

For each domain two distributions are measured: the similarity of foreign queries, which no catalogue answers
(permits, sums, fuse boxes), to their nearest item; and the similarity of the catalogue's own items to each
other. The threshold is the `_FOREIGN` quantile of the first, so that about one foreign query in ten passes;
but at most the `_OWN` quantile of the second, so that a catalogue that covers nearly everything, or whose
items are dissimilar, does not reject all requests. The threshold is valid for the embedder it was made with;
with one that does not know the language of the texts it is unreliable.
"""

from __future__ import annotations

import typing
from typing import Any

import numpy as np

from rectune.core.text.plain import is_unsegmented
from rectune.retrieval.embedding import Vectors, embed
from rectune.retrieval.table_rows import matrix, quoted

if typing.TYPE_CHECKING:
    from lancedb.table import Table

_FOREIGN, _OWN = 0.9, 0.25  # quantiles
_ROWS = 50_000  # chunks of a domain that are compared; the nearest of more would lie a little nearer
_SAMPLE = 256  # items that are compared with the others
_FEW = 3  # items below which nothing can be said

FOREIGN: dict[str, tuple[str, ...]] = {
    "en": (
        "renew a passport at the consulate",
        "file a tax return after the deadline",
        "derivative of a polynomial of degree three",
        "segmentation fault when freeing a pointer",
        "appeal against a parking fine",
        "symptoms of iron deficiency",
        "replace the timing belt of a van",
        "apply for unemployment benefit",
        "divide an estate among the heirs",
        "boiling point of ethanol at altitude",
        "register a limited company",
        "train timetable to the airport",
        "certified translation of a birth certificate",
        "reset a forgotten router password",
        "vaccination schedule for puppies",
        "convert acres to hectares",
        "refinance a mortgage at a lower rate",
        "depth of a concrete footing for a wall",
        "minutes of the annual shareholders' meeting",
        "payroll tax for the third quarter",
        "wiring diagram of a three-way switch",
        "soil acidity for blueberries",
        "reference values of a blood count",
        "statute of limitations for contracts",
        "join three tables in SQL",
        "compile a kernel module",
        "noise complaint about the neighbours",
        "dose of paracetamol for adults",
        "notice period of a rented flat",
        "storage temperature of insulin",
        "tide table of the harbour",
        "enrolment form of the primary school",
        "load calculation of a steel bridge",
        "visa for a foreign spouse",
        "exchange rate of the forint",
        "torque of the cylinder head bolts",
    ),
    "ko": (
        "여권 재발급 신청 방법",
        "종합소득세 신고 기한",
        "삼차 다항식의 미분",
        "포인터 해제 중 메모리 오류",
        "주차 과태료 이의 신청",
        "철분 결핍 증상",
        "타이밍 벨트 교체 주기",
        "실업 급여 수급 자격",
        "상속 재산 분할 협의서",
        "에탄올의 끓는점",
        "법인 설립 등기 서류",
        "공항 가는 기차 시간표",
        "출생 증명서 번역 공증",
        "공유기 비밀번호 초기화",
        "강아지 예방 접종 일정",
        "평을 제곱미터로 환산",
        "주택 담보 대출 갈아타기",
        "콘크리트 기초의 깊이",
        "주주 총회 의사록 양식",
        "원천세 납부 기한",
        "삼로 스위치 배선도",
        "블루베리 토양 산도",
        "혈액 검사 정상 수치",
        "계약의 소멸 시효",
        "인슐린 보관 온도",
        "항구의 물때표",
        "배우자 비자 신청 서류",
        "층간 소음 민원 접수",
        "전세 계약 해지 통보 기간",
        "교량의 하중 계산",
    ),
}


def calibrate(table: Table, embedder: str, domains: list[str]) -> dict[str, float]:
    """The threshold of every domain in a table of chunks: cosines, -1 to 1; -1 for too few items."""
    embedded: dict[str, Vectors] = {}
    min_similarities: dict[str, float] = {}
    for domain in domains:
        items, vectors, korean = _rows(table, domain)
        locale = "ko" if korean else "en"
        if locale not in embedded:
            embedded[locale] = embed(FOREIGN[locale], embedder)
        min_similarities[domain] = threshold_of(items, vectors, embedded[locale])
    return min_similarities


def threshold_of(items: list[str], vectors: Vectors, foreign: Vectors) -> float:
    """The threshold of one domain.

    Args:
        items: the id of each chunk's item, [n].
        vectors: the chunks' vectors, [n, d], rows of unit length.
        foreign: vectors of queries that the domain does not answer, [m, d].
    """
    if len(set(items)) < _FEW:
        return -1.0
    strange = float(np.quantile((foreign @ vectors.T).max(axis=1), _FOREIGN))
    return round(min(strange, float(np.quantile(_own(items, vectors), _OWN))), 4)


def _own(items: list[str], vectors: Vectors) -> Vectors:
    """For a sample of chunks, the cosine of the nearest chunk of another item, [sample]."""
    names = np.unique(items, return_inverse=True)[1]
    step = max(1, len(items) // _SAMPLE)
    found = []
    for place in range(0, len(items), step):
        cosines = vectors @ vectors[place]
        cosines[names == names[place]] = -1.0
        found.append(cosines.max())
    return np.asarray(found, np.float32)


def _rows(table: Table, domain: str) -> tuple[list[str], Vectors, bool]:
    """A domain's first chunks: item ids, vectors, and whether most texts are in an unsegmented script."""
    query: Any = table.search().where(f"domain = {quoted(domain)}").select(["item_id", "text", "vector"])
    rows = query.limit(_ROWS).to_arrow()
    texts = rows["text"].slice(0, _SAMPLE).to_pylist()
    korean = 2 * sum(is_unsegmented(text) for text in texts) > len(texts)
    return rows["item_id"].to_pylist(), matrix(rows["vector"]), korean
