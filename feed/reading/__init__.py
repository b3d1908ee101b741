"""What is shown to people: as its viewer may see it, found by its words, headed by its touches."""
