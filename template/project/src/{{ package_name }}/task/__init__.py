"""What the task means: its inputs and outputs, how they become arrays, and what the arrays become."""
