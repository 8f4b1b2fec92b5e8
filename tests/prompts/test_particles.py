"""Particles follow from how a word ends, as a Korean reader hears it."""

import pytest

from rectune.prompts.particles import FORMS, with_particle


@pytest.mark.parametrize(
    ("word", "particle", "wanted"),
    [
        ("영화", "을", "영화를"),
        ("책", "을", "책을"),
        ("앨범 한 장", "은", "앨범 한 장은"),
        ("상품 하나", "은", "상품 하나는"),
        ("장소", "이", "장소가"),
        ("『기생충』", "이", "『기생충』이"),
        ('"올드보이"', "을", '"올드보이"를'),
        ("극한직업 2", "은", "극한직업 2는"),
        ("킹덤 3", "을", "킹덤 3을"),
        ("1987", "을", "1987을"),
        ("Se7en", "을", "Se7en을"),
        ("Alien", "을", "Alien을"),
        ('"The Matrix"', "과", '"The Matrix"와'),
        ("Inception (2010!)", "은", "Inception (2010!)은"),
        ("Toy Story", "이", "Toy Story가"),
        ("Time", "은", "Time은"),
        ("Love", "을", "Love를"),
        ("Titanic", "이", "Titanic이"),
        ("Anime", "을", "Anime를"),
        ("Pokémon", "이", "Pokémon이"),
        ("SF", "으로", "SF로"),
        ("DVR", "이", "DVR이"),
        ("Apple", "으로", "Apple로"),
        ("Apple", "을", "Apple을"),
        ("서울", "으로", "서울로"),
        ("부산", "으로", "부산으로"),
        ("1", "으로", "1로"),
        ("영화", "이에요", "영화예요"),
        ("소설", "이에요", "소설이에요"),
        ("Parasite (기생충)", "을", "Parasite (기생충)을"),
        ("Web", "을", "Web을(를)"),
        ("三國志", "을", "三國志을(를)"),
        ("기생충 (Parasite)", "을", "기생충 (Parasite)을"),
        ('"버닝 (Burning)"', "과", '"버닝 (Burning)"과'),
        ("곡성(哭聲)", "이", "곡성(哭聲)이"),
        ("괴물 (2006)", "은", "괴물 (2006)은"),
        ("써니 [감독판]", "을", "써니 [감독판]를"),
        ("공동경비구역 JSA", "을", "공동경비구역 JSA를"),
        ("스마트 TV", "이", "스마트 TV가"),
        ("FM", "은", "FM은"),
        ("", "이", "이(가)"),
        ("?!", "은", "?!은(는)"),
    ],
)
def test_a_word_gets_the_form_that_its_end_asks_for(word: str, particle: str, wanted: str) -> None:
    assert with_particle(word, particle) == wanted


def test_a_particle_is_named_by_its_form_behind_a_consonant() -> None:
    assert set(FORMS) == {"을", "이", "은", "과", "으로", "이에요"}
    with pytest.raises(ValueError, match="를"):
        with_particle("책", "를")
