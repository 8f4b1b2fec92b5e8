"""Models: references, checkpoints, loading, LoRA, training, chat templates, merging, GGUF."""
