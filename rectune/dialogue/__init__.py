"""Knowing a person, and talking with them: persona, facts, memory, re-ranking. Logic only; serving stores it.

Code finds, the model words, checks refuse, people edit: a grammar gives form, not sense.
"""
