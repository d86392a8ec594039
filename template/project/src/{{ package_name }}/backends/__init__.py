"""What computes: a backend runs batches of arrays with PyTorch or ONNX Runtime."""
