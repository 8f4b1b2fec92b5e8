"""What leaves the house: the exported model, its parity check, model and dataset cards, the push to the Hub."""
