"""The taste model: who the simulated users are, what they pick and how they rate it.

For user u and item i, with F(i) the item's facets (genres) and a value v(i) for each trait (era, country):

    taste(u, i)    = sum over f in F(i) of w[u, f] / sqrt(|F(i)|)  +  h * sum over traits of s[u, v(i)]
    affinity(u, i) = a * taste(u, i) + g[u] * ln p(i)

w is a softmax over the two or three facets the user likes (zero elsewhere), s is 1 for the value of a trait
the user likes best and 0.5 for the second, p is a Zipf popularity over the items in a seeded order, g[u] is
how much the user follows the crowd. The items a user takes are drawn without replacement with probability
proportional to exp(affinity) (Plackett-Luce, drawn as the top n of affinity plus Gumbel noise) and then
shuffled, so that the last item in time is no worse a match than the first.

Traits are what genres do not show. A ranker that reads only genres cannot see them.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Item:
    """One real item: its synthetic id, its facts as read, and its facets and traits for the taste model."""

    id: str
    title: str
    facets: tuple[str, ...]
    traits: tuple[str, ...]
    facts: dict[str, str]
    popularity: float  # the Zipf share p(i), sums to 1 over the items


@dataclass(frozen=True, slots=True)
class User:
    """One simulated user."""

    id: str
    facets: dict[str, float]
    traits: dict[str, float]
    pull: float


@dataclass(frozen=True, slots=True)
class Act:
    """One interaction, in the user's order of time."""

    user: int  # index into World.users
    item: int  # index into World.items
    value: float  # on the published scale: stars, a rating, minutes played, 1.0 for a click
    time: int  # Unix seconds; datasets that publish no times leave it out


@dataclass(frozen=True, slots=True)
class Taste:
    """The parameters of one domain. The scales were set so that no one-line ranker solves the sample."""

    users: int = 100
    least: int = 14  # interactions a user, at least
    most: int = 20
    a: float = 12.0  # how much taste weighs against chance
    h: float = 0.25  # how much one trait weighs against the facets
    g: tuple[float, float] = (0.6, 1.2)  # range of the popularity pull


@dataclass(frozen=True, slots=True)
class World:
    """The input of a domain's writer."""

    items: list[Item]
    users: list[User]
    acts: list[Act]
    taste: Taste

    def affinity(self, user: int, item: int) -> float:
        """affinity(u, i) of the module's formula: what an oracle that knows the user would rank by."""
        return affinity(self.users[user], self.items[item], self.taste)

    def of_user(self, user: int) -> list[Act]:
        """A user's interactions, oldest first."""
        return [act for act in self.acts if act.user == user]


def taste_of(user: User, item: Item, h: float) -> float:
    """taste(u, i), without popularity."""
    facets = sum(user.facets.get(facet, 0.0) for facet in item.facets) / math.sqrt(max(len(item.facets), 1))
    return facets + h * sum(user.traits.get(trait, 0.0) for trait in item.traits)


def affinity(user: User, item: Item, taste: Taste) -> float:
    """affinity(u, i) of the module's formula."""
    return taste.a * taste_of(user, item, taste.h) + user.pull * math.log(item.popularity)


def zipf(count: int, random: Random) -> list[float]:
    """Popularity shares 1/rank, normalised, in a seeded order so that no fact decides who is popular."""
    total = sum(1 / rank for rank in range(1, count + 1))
    shares = [1 / rank / total for rank in range(1, count + 1)]
    random.shuffle(shares)
    return shares


def _draw_distinct(counts: Counter[str], many: int, random: Random) -> list[str]:
    """Distinct values, drawn by the square root of how many items have them: rare tastes exist too."""
    pool = sorted(counts)
    drawn: list[str] = []
    while pool and len(drawn) < many:
        choice = random.choices(pool, [math.sqrt(counts[value]) for value in pool])[0]
        pool.remove(choice)
        drawn.append(choice)
    return drawn


def make_user(name: str, items: Sequence[Item], taste: Taste, random: Random) -> User:
    """Draws one user's likes from the facets and traits that the items have."""
    counts = Counter(facet for item in items for facet in item.facets)
    common = Counter({facet: count for facet, count in counts.items() if count >= 4})
    likes = _draw_distinct(common, random.choice((2, 3)), random)
    weights = [math.exp(random.gauss(0.0, 0.7)) for _ in likes]
    traits: dict[str, float] = {}
    for place in range(len(items[0].traits)):
        best = _draw_distinct(Counter(item.traits[place] for item in items), 2, random)
        traits.update(zip(best, (1.0, 0.5), strict=False))
    facets = {facet: weight / sum(weights) for facet, weight in zip(likes, weights, strict=True)}
    return User(name, facets, traits, random.uniform(*taste.g))


def _gumbel(random: Random) -> float:
    return -math.log(-math.log(random.random() or 0.5))


def _picks(user: User, items: Sequence[Item], taste: Taste, random: Random) -> list[int]:
    """The items one user takes, in the order of time."""
    noisy = [(affinity(user, item, taste) + _gumbel(random), index) for index, item in enumerate(items)]
    many = random.randint(taste.least, taste.most)
    picks = [index for _, index in sorted(noisy, reverse=True)[:many]]
    random.shuffle(picks)
    return picks


def _standardised(values: Sequence[float]) -> list[float]:
    mean = sum(values) / len(values)
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values)) or 1.0
    return [(value - mean) / spread for value in values]


def simulate(
    items: list[Item],
    user_ids: Sequence[str],
    taste: Taste,
    value: Callable[[float, Random], float],
    random: Random,
) -> World:
    """Draws the users and what they do.

    Args:
        items: The catalogue.
        user_ids: One id for each user to draw.
        taste: The domain's parameters.
        value: Turns an item's fit among those the user took (mean 0, spread 1) into a published value.
        random: The only source of chance.
    """
    users = [make_user(name, items, taste, random) for name in user_ids]
    acts: list[Act] = []
    for number, user in enumerate(users):
        picks = _picks(user, items, taste, random)
        fits = _standardised([taste_of(user, items[index], taste.h) for index in picks])
        time = random.randint(1_500_000_000, 1_650_000_000)
        for index, fit in zip(picks, fits, strict=True):
            time += random.randint(600, 2_500_000)
            acts.append(Act(number, index, value(fit, random), time))
    return World(items, users, acts, taste)
