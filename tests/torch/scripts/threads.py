"""Prints a random number and the number of threads, and multiplies matrices with them."""
import torch

print(float(torch.rand(1)), torch.get_num_threads(), flush=True)
a = torch.ones(700, 700)
print(float(torch.mm(a, a)[0][0]))
