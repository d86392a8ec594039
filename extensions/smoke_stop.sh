docker compose stop
code=$(docker wait "$(docker compose ps --all --quiet api)")
[ "$code" = 0 ] || { echo "smoke: the API ended with $code" >&2; exit 1; }