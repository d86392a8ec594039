"""The demo page: try the model in a browser."""
