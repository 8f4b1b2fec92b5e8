"""Retrieval: text embedding, the index on disk, and grounding a generated answer in a catalogue."""
