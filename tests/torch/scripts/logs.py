"""warnings, logging and print, alternately: stderr and stdout are each in the order of the program."""
import logging
import sys
import warnings

warnings.simplefilter("always")
logging.basicConfig(level=logging.INFO, format="log %(message)s")
for i in range(100):
    print("out", i)
    logging.info("%d", i)
    warnings.warn(f"{i}")
    print("err", i, file=sys.stderr)
