"""The words of the simulated reviews. All of them are ours."""

from random import Random

from samples.taste import Item

GOOD = (
    "Exactly what I hoped for.",
    "Would pick it again without thinking.",
    "Better than its fame.",
    "I keep coming back to this one.",
    "Told all my friends about it.",
    "Worth every minute.",
    "A favourite since the first day.",
    "Hard to find a fault here.",
)
FAIR = (
    "Fine, but not for me every day.",
    "Some good parts, some dull ones.",
    "Does the job, no more.",
    "I see why others like it.",
    "Middle of the road.",
)
POOR = ("Not my thing at all.", "Expected more.", "Once was enough.", "I would skip it.")
GOOD_KO = ("기대한 그대로입니다.", "다시 골라도 이것입니다.", "친구들에게 추천했어요.", "정말 만족합니다.")
FAIR_KO = ("무난합니다.", "좋은 점도 아쉬운 점도 있어요.")
POOR_KO = ("제 취향은 아니네요.", "기대보다 별로였어요.")
SUMMARIES = {1: "One star", 2: "Two Stars", 3: "Three Stars", 4: "Four Stars", 5: "Five Stars"}


def is_korean(text: str) -> bool:
    """Whether any Hangul syllable occurs."""
    return any("가" <= letter <= "힣" for letter in text)


def review(item: Item, stars: float, random: Random) -> str:
    """A short sentence that fits the stars; half the reviews of a thing with a Korean name are in Korean."""
    in_korean = is_korean(item.title) and random.random() < 0.5
    banks = (GOOD_KO, FAIR_KO, POOR_KO) if in_korean else (GOOD, FAIR, POOR)
    return random.choice(banks[0 if stars >= 4 else 1 if stars >= 3 else 2])


def summary(stars: float) -> str:
    """The heading that the published files show most often."""
    return SUMMARIES[int(stars)]
