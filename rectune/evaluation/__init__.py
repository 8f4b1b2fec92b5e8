"""How good the models are: ranking protocols, metrics, and the report on a whole run."""
