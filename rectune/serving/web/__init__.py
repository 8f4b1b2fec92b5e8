"""The web page: what a person sees of the service. It has no logic of its own; see `rectune.serving`."""
