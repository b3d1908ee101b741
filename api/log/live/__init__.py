"""The live stream: one hub a process, and what each client is sent."""
