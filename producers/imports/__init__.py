"""Imports: files of rows become events and records by a mapping that says how, and guesses nothing."""
