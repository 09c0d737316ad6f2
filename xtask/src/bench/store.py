"""DuckDB's side of `cargo xtask bench store`: the same questions of the same Parquet files, and whether both answered
the same. Arguments: the data directory, a file of `NAME <tab> SQL` lines, our answers as JSON lines, how many runs.
Prints a line a question: its name, our CPU ms, DuckDB's, rows, `same` or what differs, between tabs."""

import glob
import json
import math
import sys
import time

import duckdb

directory, questions, answers, runs = sys.argv[1:5]
base = duckdb.connect()
base.execute("SET threads = 1")
base.execute("SET TimeZone = 'UTC'")
for setting in ("parquet_metadata_cache", "enable_object_cache"):
    try:
        base.execute(f"SET {setting} = true")
    except duckdb.Error:
        pass  # Some versions cache without being told.
for table in ("calls", "payloads"):
    files = sorted(glob.glob(f"{directory}/files/*/{table}/*/*.parquet"))
    base.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet({files!r})")


def plain(value):
    if hasattr(value, "strftime"):
        return value.strftime("%Y-%m-%dT%H:%M:%S") + f".{value.microsecond:06}000Z"
    return value


def alike(ours, theirs):
    if isinstance(ours, float) or isinstance(theirs, float):
        # DataFusion weighs the two neighbours of a percentile in steps of a millionth.
        return ours is not None and theirs is not None and math.isclose(ours, theirs, rel_tol=1e-6)
    return ours == theirs


ours = {answer["name"]: answer for answer in map(json.loads, open(answers))}
for line in open(questions):
    name, sql = line.rstrip("\n").split("\t")
    theirs = [[plain(value) for value in row] for row in base.execute(sql).fetchall()]
    taken = []
    for _ in range(int(runs)):
        before = time.process_time()
        base.execute(sql).fetchall()
        taken.append((time.process_time() - before) * 1000)
    answer = ours[name]
    verdict = "same"
    if len(answer["rows"]) != len(theirs):
        verdict = f"{len(answer['rows'])} rows of ours, {len(theirs)} of DuckDB"
    for mine, other in zip(answer["rows"], theirs):
        if not all(map(alike, mine, other)):
            verdict = f"{mine} is not {other}"
            break
    taken.sort()
    print(name, answer["cpu_ms"], taken[len(taken) // 2], len(theirs), verdict, sep="\t")
