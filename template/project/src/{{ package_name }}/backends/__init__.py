"""Backends run batches of arrays with PyTorch or ONNX Runtime."""
