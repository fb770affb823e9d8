"""What `gpu_throughput.py` compares: a process a framework, the PyTorch peer, and what a step computes."""
