"""Seeds follow from their parts alone."""

from rectune.core.rng import generator_of, seed_of


def test_seeds_differ_by_every_part_and_fit_a_sampler() -> None:
    seeds = {seed_of(p, i, a, s) for p in ("x", "y") for i in range(5) for a in range(4) for s in (0, 1)}
    assert len(seeds) == 80
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert seed_of("x", 0, 0, 0) == seed_of("x", 0, 0, 0)


def test_where_one_part_ends_counts() -> None:
    assert seed_of("ab", "c") != seed_of("a", "bc")


def test_a_generator_draws_the_same_again() -> None:
    assert generator_of("x", 1).random() == generator_of("x", 1).random() != generator_of("x", 2).random()
