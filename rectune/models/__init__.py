"""What a model is: where it lies, how it is loaded, how it is spoken to, and what it becomes."""
