"""What providers and mail servers send to us, and the ledger of who may not be written to."""
