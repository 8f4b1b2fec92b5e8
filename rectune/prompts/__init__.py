"""How requests are worded, and how items are read out of answers."""
