"""What a script reads when it asks whether torchrun started it. Attempt 0 fails."""
import os
import sys

if os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
    sys.exit(3)

import torch.distributed as dist
from torch.distributed.elastic.multiprocessing.errors import get_error_handler

dist.init_process_group("gloo")
print("launched" if dist.is_torchelastic_launched() else "not launched")
for name in ("RUN_ID", "RESTART_COUNT", "MAX_RESTARTS", "USE_AGENT_STORE"):
    print(name, os.environ["TORCHELASTIC_" + name])
# What torch.distributed.elastic writes an exception to; TORCHELASTIC_ERROR_FILE names it.
print("error file", os.environ["TORCHELASTIC_ERROR_FILE"] == get_error_handler()._get_error_file_path())
dist.barrier()
dist.destroy_process_group()
