"""What keeps a process of ours running: its clock, its watchdog, its log, its broker and Redis."""
