"""Find the answers of preset existing in a repository: `slipway-adopt PATH`, or `python3 run.py adopt PATH`.

Files are read, within bounds; nothing of the repository is imported or executed.
"""
