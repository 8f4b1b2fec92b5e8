"""Training: QLoRA supervised fine-tuning under DeepSpeed ZeRO."""
