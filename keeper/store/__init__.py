"""What a keeper remembers: SQLAlchemy over SQLite (WAL) or PostgreSQL. The only package that speaks SQL."""
