"""`activity source`, `activity suppression` and `activity consent`."""
