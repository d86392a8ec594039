"""The task: its inputs and outputs, their preprocessing and their postprocessing."""
