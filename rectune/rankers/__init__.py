"""Everything that scores the items of a domain, behind one interface."""
