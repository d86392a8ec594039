docker compose stop
code=$(docker wait "$(docker compose ps --all --quiet api)")
[ "$code" = 0 ] || { echo "smoke: the API exited with code $code after SIGTERM, expected 0" >&2; exit 1; }