"""What SFT and DPO train with: arguments, one `fit`, packing, the guard."""
