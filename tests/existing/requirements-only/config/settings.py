from pathlib import Path

from pydantic_settings import BaseSettings

BASE_DIR = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    data_dir: Path = BASE_DIR / "data"
    model_dir: Path = BASE_DIR / "models"
    model_name: str = "recommender.joblib"
    n_factors: int = 4
    top_k: int = 5
    cors_origins: str = "*"
    host: str = "127.0.0.1"
    port: int = 8000

    # pydantic reserves model_*
    model_config = {"protected_namespaces": (), "env_file": ".env", "extra": "ignore"}

    @property
    def model_path(self) -> Path:
        return self.model_dir / self.model_name


settings = Settings()
