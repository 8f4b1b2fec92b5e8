"""Text generation: the llama.cpp engine, servers, Ray workers, and the generation cache of all three."""

import os

# llama.cpp's threads wait for each other some hundred times a token. By default they spin for milliseconds
# before they sleep, and where other programs want the same cores everything stands still: 3 tokens a second
# against 19 with this, on two cores that twelve processes shared; nothing is lost on a quiet machine. Read
# once, by the library.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
