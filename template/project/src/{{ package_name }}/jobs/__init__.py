"""Background jobs: their kinds, their state in the database, and the workers that run them."""
