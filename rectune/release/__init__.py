"""What leaves the house: the exported model and its parity check, the cards, the push to the Hub."""
