from .config import ConfigError, load_config, pick_device
from .dpo import DPOTrainer
from .sft import SFTTrainer

__all__ = ["ConfigError", "DPOTrainer", "SFTTrainer", "load_config", "pick_device"]
