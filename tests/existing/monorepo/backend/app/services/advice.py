import json

from app.config import DATA_DIR

_advice = json.loads((DATA_DIR / "advice.json").read_text())


def advice_for(label: str) -> str:
    return _advice.get(label, "Ask your extension officer.")
