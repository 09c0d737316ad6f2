"""The other side of `bench shapes`: Drain3 over the words of failed calls, a miner for each server, protocol and class.

Prints CPU seconds, groups and grouping accuracy as one JSON object. Masks are those that Drain3's documentation shows.
"""

import collections
import json
import sys
import time

from drain3 import TemplateMiner
from drain3.masking import MaskingInstruction
from drain3.template_miner_config import TemplateMinerConfig

MASKS = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
    (r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(:\d+)?", "IP"),
    (r"((?<=[^A-Za-z0-9])|^)([0-9a-f]{6,} ?){3,}((?=[^A-Za-z0-9])|$)", "ID"),
    (r"0x[a-f0-9A-F]+", "HEX"),
    (r"[0-9a-f]{12,}", "HASH"),
    (r"((?<=[^A-Za-z0-9])|^)([\-\+]?\d+)((?=[^A-Za-z0-9])|$)", "NUM"),
    (r"'[^']*'|\"[^\"]*\"|`[^`]*`", "QUOTED"),
]


def miner():
    config = TemplateMinerConfig()
    config.masking_instructions = [MaskingInstruction(pattern, name) for pattern, name in MASKS]
    config.profiling_enabled = False
    return TemplateMiner(config=config)


def main():
    lines = [line.rstrip("\n").split("\t", 2) for line in open(sys.argv[1], encoding="utf-8")]
    begun = time.process_time()
    miners = collections.defaultdict(miner)
    groups = [(scope, miners[scope].add_log_message(words)["cluster_id"]) for _, scope, words in lines]
    spent = time.process_time() - begun
    of_kind, of_group = collections.defaultdict(set), collections.defaultdict(set)
    for (kind, _, _), group in zip(lines, groups):
        of_kind[kind].add(group)
        of_group[group].add(kind)
    exact = sum(
        len(of_kind[kind]) == 1 and len(of_group[group]) == 1 for (kind, _, _), group in zip(lines, groups)
    )
    print(json.dumps({
        "lines": len(lines), "cpu_seconds": spent, "groups": len(of_group), "accuracy": exact / len(lines),
    }))


main()
