"""Weighs an unstripped binary by the crates that its symbols are named after, in bytes, largest first."""

import collections
import re
import subprocess
import sys

weights = collections.Counter()
symbols = subprocess.check_output(["nm", "--print-size", "--radix=d", "--demangle", sys.argv[1]], text=True)
for symbol in symbols.splitlines():
    # Address, size, type, name; what is only zeroes (b, B) is in memory and not in the file.
    match symbol.split(" ", 3):
        case [_, size, kind, name] if kind not in "bB":
            # `<&crate::Type as other::Trait>::method` counts for `crate`, `<T as other::Trait>` for `other`.
            crate = re.match(r"(?:<(?:[&(\[*]|mut |dyn |const )*)?([a-z_0-9]+)::", name) or re.search(r" as ([a-z_0-9]+)::", name)
            ring = re.search(r"ring_core|ecp_nistz|fe_|p256|p384|bn_|aes|gcm|sha512|chacha|x25519|ghash", name)
            weights[crate.group(1) if crate else "ring" if ring else "C library"] += int(size)
for crate, weight in weights.most_common(40):
    print(f"{weight:9} {crate}")
print(f"{sum(weights.values()):9} all")
