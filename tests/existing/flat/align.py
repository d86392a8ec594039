#!/usr/bin/env python3
"""Align a fine-tuned model with preference pairs (DPO)."""

import argparse
import json
import sys

from trainers import ConfigError, DPOTrainer, load_config


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", "-c", required=True)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], help="override the config")
    parser.add_argument("--dry-run", action="store_true", help="show the configuration without training")
    args = parser.parse_args(argv)

    try:
        config = load_config(args.config, required=["model", "dataset", "training"])
    except (ConfigError, OSError) as e:
        sys.exit(f"Configuration error: {e}")
    if args.device:
        config["device"] = args.device

    print(json.dumps(config, indent=2))
    if args.dry_run:
        return
    history = DPOTrainer(config).train()
    print("loss: " + ", ".join(f"{loss:.3f}" for loss in history))
    print(f"saved to {config['training']['output_dir']}")


if __name__ == "__main__":
    main()
