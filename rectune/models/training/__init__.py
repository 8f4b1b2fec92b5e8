"""Training code shared by SFT and DPO: arguments, `fit`, packing, the loss-spike guard."""
