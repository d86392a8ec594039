"""Prediction over files: formats of records, and a loop that isolates bad records."""
