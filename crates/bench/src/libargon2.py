"""For each input line, hashes once with libargon2 and prints the hash and the time in nanoseconds."""

import sys
from ctypes import CDLL, c_char_p, c_size_t, c_uint32, create_string_buffer
from time import perf_counter_ns

password, salt, memory, passes, lanes = sys.argv[1:]
hash_raw = CDLL("libargon2.so.1").argon2id_hash_raw
hash_raw.argtypes = [c_uint32] * 3 + [c_char_p, c_size_t] * 3
inputs = [text for value in (password.encode(), salt.encode()) for text in (value, len(value))]
hash_bytes = create_string_buffer(32)
for _ in sys.stdin:
    started = perf_counter_ns()
    code = hash_raw(int(passes), int(memory), int(lanes), *inputs, hash_bytes, len(hash_bytes))
    took = perf_counter_ns() - started
    if code:
        sys.exit(f"libargon2 returned {code}")
    print(hash_bytes.raw.hex(), took, flush=True)
