"""Everything that ranks or recommends: the baselines, the model by likelihood, the model that answers."""
