"""rectune: raw logs and catalogues in, a recommender out that gives its reasons and names only things that
exist.
"""

__version__ = "0.1.0"
