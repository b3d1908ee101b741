"""How a log is proved: its hash chain, the tree over the hashes, and the notes that sign where it stands."""
