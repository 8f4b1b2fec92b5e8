"""Rankers that read a history in its order: networks in torch, and the one trainer that they share."""
