"""The application that the server imports: moldash.asgi:app."""

from moldash.factory import create_app

app = create_app()
