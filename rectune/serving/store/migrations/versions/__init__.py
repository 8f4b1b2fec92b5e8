"""The revisions, oldest first by their names. They never import the models, which go on changing."""
