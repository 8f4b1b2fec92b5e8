"""What all packages use: types, errors, recipes, the artifact store, tables, statistics. Never torch."""
