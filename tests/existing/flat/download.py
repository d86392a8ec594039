#!/usr/bin/env python3
"""Download models from the Hugging Face hub, as listed in a YAML file."""

import argparse
import sys

from huggingface_hub import snapshot_download

from trainers import ConfigError, load_config


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", "-c", required=True)
    parser.add_argument("--dry-run", action="store_true", help="show what would be downloaded")
    args = parser.parse_args(argv)

    try:
        config = load_config(args.config, required=["models"])
    except (ConfigError, OSError) as e:
        sys.exit(f"Configuration error: {e}")

    token = config.get("token") or None
    if token is None:
        print("HF_TOKEN is not set, only public models can be downloaded", file=sys.stderr)
    for model in config["models"]:
        print(f"{model['repo']}@{model.get('revision', 'main')} -> {model['output_dir']}")
        if not args.dry_run:
            snapshot_download(
                model["repo"],
                revision=model.get("revision"),
                local_dir=model["output_dir"],
                token=token,
            )


if __name__ == "__main__":
    main()
