"""The floor under which a sentence is off topic, held against sentences whose place is known."""

import pytest

from rectune.evaluation.off_topic import off_topic_shares, sentences

WISHES = {
    "films": [
        "tense crime film with a heist",
        "Heat (1995). crime, thriller",
        "Ronin (1998). action, thriller",
    ],
    "food": [
        "somewhere quiet for lunch",
        "Green Garden Cafe. vegetarian, breakfast",
        "Noodle Bar. ramen, japanese",
    ],
    "games": [
        "relaxing farming game",
        "Stardew Valley. simulation, farming",
        "Factorio. building, automation",
    ],
    "books": [
        "Dune. science fiction",
        "The Left Hand of Darkness. science fiction",
        "Emma. classics, romance",
    ],
}
ON = {
    "films": [
        "You enjoy tense crime stories in which professionals plan a heist.",
        "Like Heat, this one is about thieves and the police who hunt them.",
        "The action scenes of Ronin were what you liked.",
        "It is a thriller with a slow build-up and a car chase.",
    ],
    "food": [
        "The menu has many vegetarian dishes and good breakfasts.",
        "Since you like ramen, their noodle soups should suit you.",
        "It is a quiet place for lunch with a small garden.",
        "Guests praise the coffee and the friendly service.",
    ],
    "games": [
        "You like to build a farm and watch it grow.",
        "Automating a factory takes planning, as in Factorio.",
        "It is a calm simulation with crops and animals.",
        "Like Stardew Valley, it lets you play at your own pace.",
    ],
    "books": [
        "Both novels build a whole world with its own politics.",
        "You like science fiction that asks what a society could be.",
        "Readers of Dune often go on to this series.",
        "Its irony and its romance are close to those of Emma.",
    ],
}
OFF = [
    "The stock market closed higher on Tuesday after the central bank spoke.",
    "Please remember to update your printer driver before you restart.",
    "Water boils at one hundred degrees at sea level.",
    "The committee will meet again in March to discuss the budget.",
    "As an assistant I cannot open attachments or browse the internet.",
    "My neighbour's car would not start this morning.",
    "The square root of sixteen is equal to four.",
    "Regular exercise lowers your blood pressure.",
]


def test_planted_sentences_fall_on_their_side() -> None:
    kinds = list(WISHES)
    on = [(text, WISHES[kind]) for kind in kinds for text in ON[kind]]
    off = [(text, WISHES[kind]) for kind in kinds for text in OFF]
    shares = off_topic_shares(
        [text for text, _ in on + off], [user_request for _, user_request in on + off], "embedded"
    )
    kept, dropped = shares[: len(on)], shares[len(on) :]
    assert sum(kept) <= 0.1 * len(kept)
    assert sum(dropped) >= 0.9 * len(dropped)


@pytest.mark.parametrize("planted", [0, 1, 2, 3])
def test_the_share_follows_the_number_of_sentences_that_were_planted(planted: int) -> None:
    text = " ".join([*OFF[:planted], *ON["games"][: 3 - planted]])
    (share,) = off_topic_shares([text], [WISHES["games"]], "embedded")
    assert share == pytest.approx(planted / 3)


def test_what_is_too_short_to_have_a_topic_is_no_sentence() -> None:
    assert sentences("Yes. My recommendation: Heat\nYou like slow films a lot! So do I.") == [
        "You like slow films a lot!"
    ]
    assert sentences("느린 영화를 아주 좋아하시는군요. 네.") == ["느린 영화를 아주 좋아하시는군요."]
    assert off_topic_shares(["Yes.", ""], [["a"], ["b"]], "embedded") == [0.0, 0.0]
