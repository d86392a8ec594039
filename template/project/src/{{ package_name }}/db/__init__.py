"""The database: connection, tables, migrations and backups."""
