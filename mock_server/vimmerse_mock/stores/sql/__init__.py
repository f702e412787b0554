"""The store in a SQL database: SQLite for a laptop, PostgreSQL for a team; imported if used."""
