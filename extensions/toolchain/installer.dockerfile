# With Git, if a requirement or the lock names a repository.
FROM toolchain AS installer
RUN --mount=type=bind,from=manifests,target=/manifests \
    ! grep --quiet --recursive --extended-regexp --include='*.toml' --include='*.lock' 'git[+]|git"? *= *"|"git"' /manifests \
 || { apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/cache/* /var/lib/apt/lists/* /var/log/*; }

