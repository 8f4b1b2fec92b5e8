"""From published logs and catalogues to training text: datasets, cases, queries, rationales."""
