"""A tqdm bar a rank, as in a terminal: it is drawn again after every step."""
import os

from tqdm import tqdm

rank = os.environ["RANK"]
for _ in tqdm(range(200), desc=f"bar{rank}", mininterval=0, ncols=60):
    pass
print(f"rank {rank} is done")
