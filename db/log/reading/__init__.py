"""Reading the log: by a filter, newest first or by number, counted, or along its causes."""
