"""The options of `rectune recommend`, in groups."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

GUESS = "(guess)"
_ASKED, _PLACES, _RANKING = "What is asked", "Which items", "What ranks and who words the reasons"
_TABLE, _OUTPUT = "How the catalogue is written", "Output"

Recipe = Annotated[
    Path | None,
    typer.Option(
        help="Whose data, chosen rankers and aligned model are used; those of the recipe demo unless given.",
        rich_help_panel=_RANKING,
    ),
]
Model = Annotated[
    str,
    typer.Option(
        help="A GGUF file that words the reasons instead, `embedded`, `ranker` for the language model of the "
        "ranker itself (allmrec), or `none` for plain sentences.",
        rich_help_panel=_RANKING,
    ),
]
Ranker = Annotated[
    str,
    typer.Option(
        help="Rank by this in place of what was chosen: hybrid, bm25, item_knn, … or module:Class.",
        rich_help_panel=_RANKING,
    ),
]
Grounding = Annotated[
    str,
    typer.Option(
        help="`ranked`, or let the model choose the items: `retrieve`, `constrained`; as the recipe says.",
        rich_help_panel=_RANKING,
    ),
]
ExplainRanking = Annotated[
    bool,
    typer.Option(
        "--explain-ranking",
        help="Say what ranked, how well it did when it was chosen, and what each ranker made of each item.",
        rich_help_panel=_RANKING,
    ),
]

Catalogue = Annotated[
    Path | None,
    typer.Option(
        help="CSV, TSV, JSON lines, JSON or Parquet of items (also .gz), or a folder of articles.",
        rich_help_panel=_ASKED,
    ),
]
Domain = Annotated[
    str,
    typer.Option(
        help="The kind of items, where it is one of the known domains; or which domain of the recipe's data.",
        rich_help_panel=_ASKED,
    ),
]
History = Annotated[str, typer.Option(help='Titles already liked, as "A; B; C".', rich_help_panel=_ASKED)]
HistoryDomain = Annotated[
    str,
    typer.Option(
        help="The kind of things in --history, where it is another one: music, say.", rich_help_panel=_ASKED
    ),
]
User = Annotated[
    str,
    typer.Option(
        help="A user of the recipe's data, whose likes are known; --history adds newer ones.",
        rich_help_panel=_ASKED,
    ),
]
Query = Annotated[str, typer.Option(help="What is wanted.", rich_help_panel=_ASKED)]
Interactive = Annotated[
    bool, typer.Option("--interactive", help="Ask again and again.", rich_help_panel=_ASKED)
]
Chat = Annotated[
    bool,
    typer.Option(
        "--chat",
        help="Talk: say what you like, avoid or have seen, ask why, for something else, to forget.",
        rich_help_panel=_ASKED,
    ),
]
Users = Annotated[
    Path | None,
    typer.Option(
        help="A table with columns user, history, query or attributes: answer every row, into --output.",
        rich_help_panel=_ASKED,
    ),
]

Top = Annotated[
    int,
    typer.Option(min=0, help="How many items; 0 is as many as the recipe says.", rich_help_panel=_PLACES),
]
Explore = Annotated[
    float,
    typer.Option(
        min=0.0,
        max=1.0,
        help="Share of the places for unfamiliar items: of categories and makers that the history lacks.",
        rich_help_panel=_PLACES,
    ),
]
AtMost = Annotated[
    int, typer.Option(min=0, help="With --per: so many items of one value at most.", rich_help_panel=_PLACES)
]
Per = Annotated[
    str,
    typer.Option(help="With --at-most: category, maker, year, or a fact's name.", rich_help_panel=_PLACES),
]

Verbose = Annotated[bool, typer.Option(help="Rates, files and further titles too.", rich_help_panel=_OUTPUT)]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object an answer.", rich_help_panel=_OUTPUT)]
Output = Annotated[
    Path | None, typer.Option(help="With --users: the Parquet file to write.", rich_help_panel=_OUTPUT)
]

Column = Annotated[
    str,
    typer.Option(
        help="That column, where the guess is another; '' takes none.",
        show_default=False,
        rich_help_panel=_TABLE,
    ),
]
Facts = Annotated[
    str, typer.Option(help="Further columns that answers may speak of: price,city.", rich_help_panel=_TABLE)
]
Format = Annotated[
    str,
    typer.Option(
        "--format",
        help="csv, tsv, jsonl, json or parquet where the ending does not say; or the published dataset "
        "that the file is of: mind, movielens, amazon …",
        rich_help_panel=_TABLE,
    ),
]
Encoding = Annotated[str, typer.Option(help="latin-1, cp949, utf-16 …", rich_help_panel=_TABLE)]
Separator = Annotated[
    str, typer.Option(help="What parts fields, where the guess is another.", rich_help_panel=_TABLE)
]
Quotes = Annotated[
    bool,
    typer.Option("--quotes/--no-quotes", help="Whether fields may stand in quotes.", rich_help_panel=_TABLE),
]
Columns = Annotated[
    str,
    typer.Option(
        "--columns",
        help="The columns of a file without a header line: id,title,genres.",
        rich_help_panel=_TABLE,
    ),
]
Malformed = Annotated[
    float,
    typer.Option(min=0.0, max=1.0, help="Share of lines that may be malformed.", rich_help_panel=_TABLE),
]
