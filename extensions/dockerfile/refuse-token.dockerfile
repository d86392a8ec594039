# Declared only to be refused: an argument stays in the history of an image. Written as a variable, it would be in the log.
ARG HF_TOKEN
RUN if [ -n "$(printenv HF_TOKEN)" ]; then \
      echo "HF_TOKEN must not be a build argument, which everybody can read: use --secret id=HF_TOKEN" >&2; exit 1; \
    fi