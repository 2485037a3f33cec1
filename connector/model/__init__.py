"""Nouns and pure decisions. No I/O, no clock, no randomness; imports nothing else of ours."""
