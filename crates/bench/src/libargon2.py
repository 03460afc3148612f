"""For each line that it reads, hashes once with libargon2, and prints the hash and the nanoseconds that it took."""

import sys
from ctypes import CDLL, c_char_p, c_size_t, c_uint32, create_string_buffer
from time import perf_counter_ns

password, salt, memory, passes, lanes = sys.argv[1:]
hash_raw = CDLL("libargon2.so.1").argon2id_hash_raw
hash_raw.argtypes = [c_uint32] * 3 + [c_char_p, c_size_t] * 3
inputs = [text for given in (password.encode(), salt.encode()) for text in (given, len(given))]
made = create_string_buffer(32)
for _ in sys.stdin:
    begun = perf_counter_ns()
    code = hash_raw(int(passes), int(memory), int(lanes), *inputs, made, len(made))
    took = perf_counter_ns() - begun
    if code:
        sys.exit(f"libargon2 answered {code}")
    print(made.raw.hex(), took, flush=True)
