"""MoRec: SASRec whose items are known by their texts alone."""

from __future__ import annotations

from rectune.rankers.sequential.sasrec import SasRec


class MoRec(SasRec):
    """SASRec over the texts of items (Yuan et al. 2023, "Where to Go Next for Recommender Systems? ID- vs.
    Modality-based Recommender Models Revisited").

    An item is a network of two layers on the fixed vector of its title and categories; it has no vector of
    its id. The paper trains the encoder of the texts together with SASRec, and finds that a frozen one, as
    here, does less well; then no vector can be kept, and an epoch takes many times as long. Items that nobody
    liked, and catalogues of which no item was, are scored as all others. The arguments are those of `SasRec`;
    `SasRecText` adds the vector of the id.
    """

    name = "morec"
    learns_from_texts = True
    items_by = "text"
