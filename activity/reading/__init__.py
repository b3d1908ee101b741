"""How events read: who may read what they say, and which of them were touches."""
