"""What `bench read` measures beside pages."""
