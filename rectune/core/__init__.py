"""What all packages stand on: types, errors, recipes, the run store, tables, statistics. Never torch."""
