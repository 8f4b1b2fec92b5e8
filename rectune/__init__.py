"""The ground floor of rectune: types, errors, recipes, the run store. Nothing here imports a stage or torch."""

__version__ = "0.1.0"
