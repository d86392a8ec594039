import os
import re

import torch
import yaml


class ConfigError(Exception):
    pass


def load_config(path, required=()):
    """Read a YAML file, fill in ${VARS} from the environment, check the top-level sections."""
    with open(path) as f:
        text = re.sub(r"\$\{(\w+)\}", lambda m: os.environ.get(m.group(1), ""), f.read())
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError as e:
        raise ConfigError(f"{path}: not valid YAML: {e}")
    missing = [key for key in required if key not in (config or {})]
    if missing:
        raise ConfigError(f"{path}: missing section(s): {', '.join(missing)}")
    return config


def pick_device(name="auto"):
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        print("Warning: CUDA requested but unavailable, using CPU.")
        return "cpu"
    return name
