"""The service: its database, its HTTP API, its page. It stores and shows; what is shown is decided below."""
