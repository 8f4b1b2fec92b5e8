"""Prompt templates and rendering, and parsing items out of answers."""
