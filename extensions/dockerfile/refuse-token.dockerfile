# Reject HF_TOKEN as a build argument: it would stay in the image history. printenv keeps its value out of the build log.
ARG HF_TOKEN
RUN if [ -n "$(printenv HF_TOKEN)" ]; then \
      echo "HF_TOKEN must not be a build argument, because it would be readable in the image history: use --secret id=HF_TOKEN" >&2; exit 1; \
    fi