"""The public datasets that are read. Figures, licences and checksums are their publishers'; what is not known
is left out.
"""

from __future__ import annotations

from rectune.core.settings.data import POSITIVE_THRESHOLDS
from rectune.datagen.datasets.entry import Dataset, Download, Edition, Layout

# The McAuley lab has moved its files between hosts (jmcauley.ucsd.edu, deepyeti, datarepo.eng.ucsd.edu); when
# these addresses stop answering, the publisher's page has the new ones.
_MCAULEY = "https://mcauleylab.ucsd.edu/public_datasets/data"
_GROUPLENS = "https://files.grouplens.org/datasets/movielens"
_KAGGLE = "https://www.kaggle.com/datasets"

_NO_LICENCE = "no licence is stated with the files; the publisher asks users to cite its papers"
_MAY_NOT_PASS_ON = "research, non-commercial; may not be redistributed without separate permission"

_AMAZON_LAYOUTS = (
    Layout(
        "2023",
        ("meta_{category}.jsonl", "{category}.jsonl"),
        "rectune.readers.published.amazon:read",
        ordered=True,
        reviews="rectune.readers.published.amazon:reviews",
    ),
    Layout(
        "2018",
        ("meta_{category}.json", "{category}.json|{category}_5.json"),
        "rectune.readers.published.amazon:read",
        ordered=True,
        reviews="rectune.readers.published.amazon:reviews",
    ),
    Layout(
        "2014",
        ("meta_{category}.json", "reviews_{category}.json|reviews_{category}_5.json"),
        "rectune.readers.published.amazon:read",
        ordered=True,
        reviews="rectune.readers.published.amazon:reviews",
    ),
)


def _amazon_downloads(year: str) -> tuple[Download, ...]:
    folders = {
        "2023": ("amazon_2023/raw/meta_categories", "amazon_2023/raw/review_categories"),
        "2018": ("amazon_v2/metaFiles2", "amazon_v2/categoryFiles"),
        "2014": ("amazon/categoryFiles", "amazon/categoryFiles"),
    }[year]
    ending = "jsonl.gz" if year == "2023" else "json.gz"
    reviews = f"reviews_{{category}}.{ending}" if year == "2014" else f"{{category}}.{ending}"
    names = (f"meta_{{category}}.{ending}", reviews)
    return tuple(
        Download(f"{_MCAULEY}/{folder}/{name}", name) for folder, name in zip(folders, names, strict=True)
    )


def _movielens(
    name: str, layout: str, rows: str, size: int | None = None, checksum: str = "", licence: str = ""
) -> Edition:
    file = f"{name}.zip"
    url = f"{_GROUPLENS}/{file}"
    download = Download(url, file, size, checksum, "" if checksum else f"{url}.md5")
    return Edition(name, layout, rows, (download,), "", licence, False if licence else None)


_MIND = Dataset(
    name="mind",
    domain="news",
    publisher="Microsoft",
    home="https://msnews.github.io",
    licence="Microsoft Research License Terms: non-commercial, non-revenue generating, research purposes",
    redistributable=False,
    liked=POSITIVE_THRESHOLDS["mind"],
    why_liked="a click is all that is published",
    people="mind",
    layouts=(
        Layout(
            "mind", ("**/news.tsv", "**/behaviors.tsv"), "rectune.readers.published.mind:read", ordered=True
        ),
    ),
    editions=(
        Edition(
            "small",
            "mind",
            "50,000 users drawn from the large edition, and what they were shown",
            by_hand="read and accept the terms on the page, get MINDsmall_train.zip and "
            "MINDsmall_dev.zip, and unpack "
            "each into a folder of its own (train, dev)",
        ),
        Edition(
            "large",
            "mind",
            "1,000,000 users, 161,013 news, 15,777,377 impressions, 24,155,470 clicks",
            by_hand="read and accept the terms on the page, get MINDlarge_train.zip, MINDlarge_dev.zip and "
            "MINDlarge_test.zip, and unpack each into a folder of its own (train, dev, test)",
        ),
    ),
)

_AMAZON_MUSIC = Dataset(
    name="amazon_music",
    domain="music",
    publisher="J. McAuley's group, UC San Diego (Amazon reviews: Digital Music, CDs and Vinyl)",
    home="https://nijianmo.github.io/amazon/",
    licence=_NO_LICENCE,
    redistributable=False,
    liked=POSITIVE_THRESHOLDS["amazon_music"],
    why_liked='of 5 stars: the shop\'s own words for 4 are "I like it"',
    people="amazon",
    layouts=_AMAZON_LAYOUTS,
    editions=(
        Edition(
            "2018",
            "2018",
            "Digital_Music 1,584,082 reviews, 465,392 products; CDs_and_Vinyl 4,543,369 reviews, "
            "544,442 products",
            _amazon_downloads("2018"),
        ),
        Edition(
            "2023",
            "2023",
            "571.54 million reviews in all categories together",
            _amazon_downloads("2023"),
        ),
        Edition(
            "2014",
            "2014",
            "142.8 million reviews in all categories together",
            _amazon_downloads("2014"),
        ),
    ),
    categories=("Digital_Music", "CDs_and_Vinyl"),
)

_YELP = Dataset(
    name="yelp",
    domain="places",
    publisher="Yelp",
    home="https://business.yelp.com/data/resources/open-dataset/",
    licence="Yelp Dataset Terms of Use: solely for academic or non-commercial purposes",
    redistributable=False,
    liked=POSITIVE_THRESHOLDS["yelp"],
    why_liked="of 5 stars: above the mean of about 3.7",
    people="yelp",
    layouts=(
        Layout(
            "yelp",
            ("*_business.json", "*_review.json"),
            "rectune.readers.published.yelp:read",
            ordered=True,
            reviews="rectune.readers.published.yelp:reviews",
        ),
    ),
    editions=(
        Edition(
            "2022",
            "yelp",
            "6,990,280 reviews of 150,346 businesses in 11 metropolitan areas",
            by_hand="fill in the form on the page, accept the terms, get the JSON archive, and unpack "
            "yelp_academic_dataset_business.json and yelp_academic_dataset_review.json",
        ),
    ),
)

_ANIME = Dataset(
    name="anime",
    domain="anime",
    publisher="CooperUnion (Anime Recommendations Database); H. Valdivieso (MyAnimeList 2020)",
    home=f"{_KAGGLE}/CooperUnion/anime-recommendations-database",
    licence="CC0 on the publisher's page",
    redistributable=True,
    liked=POSITIVE_THRESHOLDS["anime"],
    why_liked="of 10: the mean rating is 7.8, so 8 is the first whole point above it",
    people="anime",
    layouts=(
        Layout(
            "2020 merged",
            ("pre_merged_anime.csv", "rating_complete.csv"),
            "rectune.readers.published.anime:read_2020_merged",
            ordered=False,
        ),
        Layout(
            "2020",
            ("anime.csv", "?anime_with_synopsis.csv", "rating_complete.csv"),
            "rectune.readers.published.anime:read_2020",
            ordered=False,
        ),
        Layout("2016", ("anime.csv", "rating.csv"), "rectune.readers.published.anime:read", ordered=False),
    ),
    editions=(
        Edition(
            "2016",
            "2016",
            "7,813,737 rows of 73,516 users, 12,294 anime",
            by_hand="sign in, get the archive from the page, and unpack anime.csv and rating.csv",
        ),
        Edition(
            "2020",
            "2020",
            "57 million ratings of 310,059 users, 16,872 anime rated of 17,562",
            by_hand=f"sign in, get the archive from "
            f"{_KAGGLE}/hernan4444/anime-recommendation-database-2020, and unpack "
            "anime.csv, anime_with_synopsis.csv and rating_complete.csv",
            licence="as its Kaggle page states; not checked here",
            redistributable=False,
        ),
        Edition(
            "2020 merged",
            "2020 merged",
            "the same ratings; 16,206 anime with synopsis, producers and studios in one table",
            by_hand="merge anime.csv and anime_with_synopsis.csv of the edition 2020 on MAL_ID into "
            "pre_merged_anime.csv, and put rating_complete.csv beside it",
            licence="as its Kaggle page states; not checked here",
            redistributable=False,
        ),
    ),
)

_BOOKS = Dataset(
    name="books",
    domain="books",
    publisher="C.-N. Ziegler's Book-Crossing crawl of 2004 (Book Recommendation Dataset, arashnic)",
    home=f"{_KAGGLE}/arashnic/book-recommendation-dataset",
    licence="CC0 on the publisher's page",
    redistributable=True,
    liked=POSITIVE_THRESHOLDS["books"],
    why_liked="of 10: three in four are 0 (none given), and a stricter bound would leave few histories",
    people="books",
    layouts=(
        Layout(
            "kaggle",
            ("Books.csv", "Ratings.csv", "?Users.csv"),
            "rectune.readers.published.books:read",
            ordered=False,
        ),
        Layout(
            "original",
            ("BX-Books.csv", "BX-Book-Ratings.csv", "?BX-Users.csv"),
            "rectune.readers.published.books:read_original",
            ordered=False,
        ),
    ),
    editions=(
        Edition(
            "kaggle",
            "kaggle",
            "1,149,780 ratings of 278,858 users, 271,379 books",
            by_hand="sign in, get the archive from the page, and unpack Books.csv, Ratings.csv and Users.csv",
        ),
        Edition(
            "original",
            "original",
            "1,149,780 ratings of 278,858 users, 271,379 books",
            by_hand="the publisher's server is no longer online; unpack BX-Books.csv, "
            "BX-Book-Ratings.csv and "
            "BX-Users.csv of a BX-CSV-Dump.zip that you have",
            licence="not known; users are asked to cite Ziegler et al. 2005",
            redistributable=False,
        ),
    ),
)

_MOVIELENS = Dataset(
    name="movielens",
    domain="movies",
    publisher="GroupLens, University of Minnesota",
    home="https://grouplens.org/datasets/movielens/",
    licence="research, non-commercial; may be redistributed under the same conditions (see its README)",
    redistributable=True,
    liked=POSITIVE_THRESHOLDS["movielens"],
    why_liked="of 5 stars: above the mean of 3.5",
    people="movielens",
    layouts=(
        Layout(
            "csv", ("movies.csv", "ratings.csv"), "rectune.readers.published.movielens:read", ordered=True
        ),
        Layout(
            "dat",
            ("movies.dat", "ratings.dat", "?users.dat"),
            "rectune.readers.published.movielens:read_dat",
            ordered=True,
        ),
        Layout(
            "100k",
            ("u.data", "u.item", "?u.user", "?u.genre"),
            "rectune.readers.published.movielens:read_100k",
            ordered=True,
        ),
    ),
    editions=(
        _movielens(
            "ml-latest-small", "csv", "changes with time; in 2018 100,836 ratings of 610 users, 9,742 films"
        ),
        _movielens("ml-32m", "csv", "32,000,204 ratings of 200,948 users, 87,585 films"),
        _movielens(
            "ml-25m",
            "csv",
            "25,000,095 ratings of 162,541 users, 62,423 films",
            261_978_986,
            "sha256:8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa",
        ),
        _movielens(
            "ml-20m",
            "csv",
            "20,000,263 ratings of 138,493 users, 27,278 films",
            198_702_078,
            "sha256:96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3",
        ),
        _movielens(
            "ml-10m",
            "dat",
            "10,000,054 ratings of 71,567 users, 10,681 films",
            None,
            "md5:ce571fd55effeba0271552578f2648bd",
            _MAY_NOT_PASS_ON,
        ),
        _movielens(
            "ml-1m",
            "dat",
            "1,000,209 ratings of 6,040 users, about 3,900 films",
            5_917_549,
            "sha256:a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
            _MAY_NOT_PASS_ON,
        ),
        _movielens(
            "ml-100k",
            "100k",
            "100,000 ratings of 943 users, 1,682 films",
            4_924_029,
            "sha256:50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
            _MAY_NOT_PASS_ON,
        ),
    ),
)

_THE_MOVIES = ("movies_metadata.csv", "?credits.csv", "?keywords.csv")

_MOVIES_DATASET = Dataset(
    name="movies_dataset",
    domain="movies",
    publisher="R. Banik (The Movies Dataset; films from TMDB, ratings from MovieLens)",
    home=f"{_KAGGLE}/rounakbanik/the-movies-dataset",
    licence="CC0 1.0 on the publisher's page; see also the terms of TMDB (films) and GroupLens (ratings)",
    redistributable=False,
    liked=4.0,  # in no default of recipes, since it is not in the published mixture
    why_liked="of 5 stars: above the mean of 3.5",
    people="movies_dataset",
    layouts=(
        Layout(
            "full",
            (*_THE_MOVIES, "links.csv", "ratings.csv"),
            "rectune.readers.published.movies_dataset:read",
            ordered=True,
        ),
        Layout(
            "small",
            (*_THE_MOVIES, "links_small.csv", "ratings_small.csv"),
            "rectune.readers.published.movies_dataset:read",
            ordered=True,
        ),
    ),
    editions=(
        Edition(
            "full",
            "full",
            "26,024,289 ratings of 270,896 users, 45,466 films",
            by_hand="sign in, get the archive from the page, and unpack movies_metadata.csv, credits.csv, "
            "keywords.csv, links.csv and ratings.csv",
        ),
        Edition(
            "small",
            "small",
            "100,004 ratings of 671 users, of the same films",
            by_hand="sign in, get the archive from the page, and unpack movies_metadata.csv, credits.csv, "
            "keywords.csv, links_small.csv and ratings_small.csv, without links.csv and ratings.csv: these "
            "are read where they are there",
        ),
    ),
)

_STEAM = Dataset(
    name="steam",
    domain="games",
    publisher="J. McAuley's group, UC San Diego (Steam video game and bundle data); Tamber (steam-200k)",
    home="https://cseweb.ucsd.edu/~jmcauley/datasets.html#steam_data",
    licence=_NO_LICENCE,
    redistributable=False,
    liked=POSITIVE_THRESHOLDS["steam"],
    why_liked="hours played: past two hours the shop takes no game back",
    people="steam",
    layouts=(
        Layout(
            "ucsd",
            ("steam_games.json", "australian_users_items.json", "?australian_user_reviews.json"),
            "rectune.readers.published.steam:read",
            ordered=False,
            reviews="rectune.readers.published.steam:reviews",
        ),
        Layout("200k", ("steam-200k.csv",), "rectune.readers.published.steam:read_200k", ordered=False),
    ),
    editions=(
        Edition(
            "ucsd",
            "ucsd",
            "libraries of 88,310 Australian players, 32,135 games",
            (
                Download(
                    "https://cseweb.ucsd.edu/~wckang/steam_games.json.gz", "steam_games.json.gz", 2_740_516
                ),
                Download(
                    f"{_MCAULEY}/steam/australian_users_items.json.gz", "australian_users_items.json.gz"
                ),
            ),
        ),
        Edition(
            "200k",
            "200k",
            "200,000 rows (purchases and hours played) of 12,393 users, 5,155 games",
            by_hand=f"sign in, get the archive from {_KAGGLE}/tamber/steam-video-games, and unpack "
            f"steam-200k.csv",
            licence="as its Kaggle page states; not checked here",
        ),
    ),
)

_AMAZON = Dataset(
    name="amazon",
    domain="goods",
    publisher="McAuley Lab, UC San Diego (Amazon Reviews)",
    home="https://amazon-reviews-2023.github.io",
    licence=_NO_LICENCE,
    redistributable=False,
    liked=POSITIVE_THRESHOLDS["amazon"],
    why_liked="of 5 stars, as for music",
    people="amazon",
    layouts=_AMAZON_LAYOUTS,
    editions=(
        Edition("2023", "2023", "571.54 million reviews in 33 categories", _amazon_downloads("2023")),
        Edition(
            "2018",
            "2018",
            "233.1 million reviews in 29 categories",
            _amazon_downloads("2018"),
            categories=tuple(
                "AMAZON_FASHION All_Beauty Appliances Arts_Crafts_and_Sewing Automotive Books CDs_and_Vinyl "
                "Cell_Phones_and_Accessories Clothing_Shoes_and_Jewelry Digital_Music Electronics Gift_Cards "
                "Grocery_and_Gourmet_Food Home_and_Kitchen Industrial_and_Scientific Kindle_Store "
                "Luxury_Beauty "
                "Magazine_Subscriptions Movies_and_TV Musical_Instruments Office_Products "
                "Patio_Lawn_and_Garden "
                "Pet_Supplies Prime_Pantry Software Sports_and_Outdoors Tools_and_Home_Improvement "
                "Toys_and_Games "
                "Video_Games".split()
            ),
        ),
        Edition(
            "2014",
            "2014",
            "142.8 million reviews in 24 categories",
            _amazon_downloads("2014"),
            categories=tuple(
                "Amazon_Instant_Video Apps_for_Android Automotive Baby Beauty Books CDs_and_Vinyl "
                "Cell_Phones_and_Accessories Clothing_Shoes_and_Jewelry Digital_Music Electronics "
                "Grocery_and_Gourmet_Food Health_and_Personal_Care Home_and_Kitchen Kindle_Store "
                "Movies_and_TV "
                "Musical_Instruments Office_Products Patio_Lawn_and_Garden Pet_Supplies Sports_and_Outdoors "
                "Tools_and_Home_Improvement Toys_and_Games Video_Games".split()
            ),
        ),
    ),
    categories=tuple(
        "All_Beauty Amazon_Fashion Appliances Arts_Crafts_and_Sewing Automotive Baby_Products "
        "Beauty_and_Personal_Care Books CDs_and_Vinyl Cell_Phones_and_Accessories Clothing_Shoes_and_Jewelry "
        "Digital_Music Electronics Gift_Cards Grocery_and_Gourmet_Food Handmade_Products "
        "Health_and_Household "
        "Health_and_Personal_Care Home_and_Kitchen Industrial_and_Scientific Kindle_Store "
        "Magazine_Subscriptions "
        "Movies_and_TV Musical_Instruments Office_Products Patio_Lawn_and_Garden Pet_Supplies Software "
        "Sports_and_Outdoors Subscription_Boxes Tools_and_Home_Improvement Toys_and_Games Unknown "
        "Video_Games".split()
    ),
)

DATASETS: tuple[Dataset, ...] = (
    _MIND, _AMAZON_MUSIC, _YELP, _ANIME, _BOOKS, _MOVIELENS, _MOVIES_DATASET, _STEAM, _AMAZON,
)  # fmt: skip
