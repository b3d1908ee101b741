"""What producers do with the log itself: wait for an event to be appended, and replay rejected ones."""
