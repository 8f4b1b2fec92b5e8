"""rectune: from raw logs and catalogues to a recommender that gives reasons and names only real items."""

__version__ = "0.1.0"
