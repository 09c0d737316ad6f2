//! Redis's commands: where each has its first key, and what it does to the connection.
//!
//! From the command table of Redis 8 (`src/commands/*.json`), and the modules that ship with it. What a command
//! takes besides keys is never kept.

use Habit::{Blocks, Plain, Probe, Session, Subscribes};
use Keys::{After, At, Counted, None, Word, WordThenKey};

/// The longest name of a command.
pub(super) const LONGEST_NAME: usize = 32;

/// Where the first key, or channel, stands among the arguments; the command itself is argument 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// Nowhere, or nowhere that can be told from a secret.
    None,
    /// There.
    At(u8),
    /// After a number of keys, which stands there.
    Counted(u8),
    /// After this word.
    After(&'static str),
    /// Argument 1 is part of the command's name; none.
    Word,
    /// Argument 1 is part of the command's name, the next is the key, or the name of a parameter.
    WordThenKey,
}

/// What a command does besides being answered once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    Plain,
    /// The server may hold it until there is something to say.
    Blocks,
    /// Asked to see whether the server lives.
    Probe,
    /// From its answer on the connection is another.
    Session,
    /// The same, and there is an answer for each channel.
    Subscribes,
}

/// One command.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) name: &'static str,
    pub(super) keys: Keys,
    pub(super) habit: Habit,
}

const fn command(name: &'static str, keys: Keys, habit: Habit) -> Command {
    Command { name, keys, habit }
}

/// What is known of a command of a module: `JSON.SET`, `FT.SEARCH`, `BF.ADD` ... name their key, or index, first.
static OF_MODULE: Command = command("", At(1), Plain);

/// Modules whose commands do.
const MODULES: &[&str] = &["BF", "CF", "CMS", "FT", "GRAPH", "JSON", "TDIGEST", "TOPK", "TS"];

/// The command of that name, which is in upper case.
pub(super) fn find(name: &str) -> Option<&'static Command> {
    if let Ok(at) = COMMANDS.binary_search_by(|command| command.name.cmp(name)) {
        return Some(&COMMANDS[at]);
    }
    let (module, _) = name.split_once('.')?;
    MODULES.contains(&module).then_some(&OF_MODULE)
}

/// By name.
#[rustfmt::skip]
static COMMANDS: &[Command] = &[
    command("ACL", Word, Plain),
    command("APPEND", At(1), Plain),
    command("ASKING", None, Plain),
    command("AUTH", None, Plain),
    command("BGREWRITEAOF", None, Plain),
    command("BGSAVE", None, Plain),
    command("BITCOUNT", At(1), Plain),
    command("BITFIELD", At(1), Plain),
    command("BITFIELD_RO", At(1), Plain),
    command("BITOP", At(2), Plain),
    command("BITPOS", At(1), Plain),
    command("BLMOVE", At(1), Blocks),
    command("BLMPOP", Counted(2), Blocks),
    command("BLPOP", At(1), Blocks),
    command("BRPOP", At(1), Blocks),
    command("BRPOPLPUSH", At(1), Blocks),
    command("BZMPOP", Counted(2), Blocks),
    command("BZPOPMAX", At(1), Blocks),
    command("BZPOPMIN", At(1), Blocks),
    command("CLIENT", Word, Plain),
    command("CLUSTER", Word, Plain),
    command("COMMAND", Word, Plain),
    command("CONFIG", WordThenKey, Plain),
    command("COPY", At(1), Plain),
    command("DBSIZE", None, Plain),
    command("DEBUG", Word, Plain),
    command("DECR", At(1), Plain),
    command("DECRBY", At(1), Plain),
    command("DEL", At(1), Plain),
    command("DELEX", At(1), Plain),
    command("DIGEST", At(1), Plain),
    command("DISCARD", None, Plain),
    command("DUMP", At(1), Plain),
    command("ECHO", None, Plain),
    command("EVAL", Counted(2), Plain),
    command("EVALSHA", Counted(2), Plain),
    command("EVALSHA_RO", Counted(2), Plain),
    command("EVAL_RO", Counted(2), Plain),
    command("EXEC", None, Plain),
    command("EXISTS", At(1), Plain),
    command("EXPIRE", At(1), Plain),
    command("EXPIREAT", At(1), Plain),
    command("EXPIRETIME", At(1), Plain),
    command("FAILOVER", None, Plain),
    command("FCALL", Counted(2), Plain),
    command("FCALL_RO", Counted(2), Plain),
    command("FLUSHALL", None, Plain),
    command("FLUSHDB", None, Plain),
    command("FUNCTION", Word, Plain),
    command("GEOADD", At(1), Plain),
    command("GEODIST", At(1), Plain),
    command("GEOHASH", At(1), Plain),
    command("GEOPOS", At(1), Plain),
    command("GEORADIUS", At(1), Plain),
    command("GEORADIUSBYMEMBER", At(1), Plain),
    command("GEORADIUSBYMEMBER_RO", At(1), Plain),
    command("GEORADIUS_RO", At(1), Plain),
    command("GEOSEARCH", At(1), Plain),
    command("GEOSEARCHSTORE", At(1), Plain),
    command("GET", At(1), Plain),
    command("GETBIT", At(1), Plain),
    command("GETDEL", At(1), Plain),
    command("GETEX", At(1), Plain),
    command("GETRANGE", At(1), Plain),
    command("GETSET", At(1), Plain),
    command("HDEL", At(1), Plain),
    command("HELLO", None, Plain),
    command("HEXISTS", At(1), Plain),
    command("HEXPIRE", At(1), Plain),
    command("HEXPIREAT", At(1), Plain),
    command("HEXPIRETIME", At(1), Plain),
    command("HGET", At(1), Plain),
    command("HGETALL", At(1), Plain),
    command("HGETDEL", At(1), Plain),
    command("HGETEX", At(1), Plain),
    command("HINCRBY", At(1), Plain),
    command("HINCRBYFLOAT", At(1), Plain),
    command("HKEYS", At(1), Plain),
    command("HLEN", At(1), Plain),
    command("HMGET", At(1), Plain),
    command("HMSET", At(1), Plain),
    command("HPERSIST", At(1), Plain),
    command("HPEXPIRE", At(1), Plain),
    command("HPEXPIREAT", At(1), Plain),
    command("HPEXPIRETIME", At(1), Plain),
    command("HPTTL", At(1), Plain),
    command("HRANDFIELD", At(1), Plain),
    command("HSCAN", At(1), Plain),
    command("HSET", At(1), Plain),
    command("HSETEX", At(1), Plain),
    command("HSETNX", At(1), Plain),
    command("HSTRLEN", At(1), Plain),
    command("HTTL", At(1), Plain),
    command("HVALS", At(1), Plain),
    command("INCR", At(1), Plain),
    command("INCRBY", At(1), Plain),
    command("INCRBYFLOAT", At(1), Plain),
    command("INFO", None, Plain),
    command("KEYS", At(1), Plain),
    command("LASTSAVE", None, Plain),
    command("LATENCY", Word, Plain),
    command("LCS", At(1), Plain),
    command("LINDEX", At(1), Plain),
    command("LINSERT", At(1), Plain),
    command("LLEN", At(1), Plain),
    command("LMOVE", At(1), Plain),
    command("LMPOP", Counted(1), Plain),
    command("LOLWUT", None, Plain),
    command("LPOP", At(1), Plain),
    command("LPOS", At(1), Plain),
    command("LPUSH", At(1), Plain),
    command("LPUSHX", At(1), Plain),
    command("LRANGE", At(1), Plain),
    command("LREM", At(1), Plain),
    command("LSET", At(1), Plain),
    command("LTRIM", At(1), Plain),
    command("MEMORY", WordThenKey, Plain),
    command("MGET", At(1), Plain),
    command("MIGRATE", At(3), Plain),
    command("MODULE", Word, Plain),
    command("MONITOR", None, Session),
    command("MOVE", At(1), Plain),
    command("MSET", At(1), Plain),
    command("MSETEX", Counted(1), Plain),
    command("MSETNX", At(1), Plain),
    command("MULTI", None, Plain),
    command("OBJECT", WordThenKey, Plain),
    command("PERSIST", At(1), Plain),
    command("PEXPIRE", At(1), Plain),
    command("PEXPIREAT", At(1), Plain),
    command("PEXPIRETIME", At(1), Plain),
    command("PFADD", At(1), Plain),
    command("PFCOUNT", At(1), Plain),
    command("PFDEBUG", At(1), Plain),
    command("PFMERGE", At(1), Plain),
    command("PING", None, Probe),
    command("PSETEX", At(1), Plain),
    command("PSUBSCRIBE", At(1), Subscribes),
    command("PSYNC", None, Session),
    command("PTTL", At(1), Plain),
    command("PUBLISH", At(1), Plain),
    command("PUBSUB", WordThenKey, Plain),
    command("PUNSUBSCRIBE", At(1), Subscribes),
    command("QUIT", None, Plain),
    command("RANDOMKEY", None, Plain),
    command("READONLY", None, Plain),
    command("READWRITE", None, Plain),
    command("RENAME", At(1), Plain),
    command("RENAMENX", At(1), Plain),
    command("REPLCONF", None, Plain),
    command("REPLICAOF", None, Plain),
    command("RESET", None, Plain),
    command("RESTORE", At(1), Plain),
    command("RESTORE-ASKING", At(1), Plain),
    command("ROLE", None, Plain),
    command("RPOP", At(1), Plain),
    command("RPOPLPUSH", At(1), Plain),
    command("RPUSH", At(1), Plain),
    command("RPUSHX", At(1), Plain),
    command("SADD", At(1), Plain),
    command("SAVE", None, Plain),
    command("SCAN", After("MATCH"), Plain),
    command("SCARD", At(1), Plain),
    command("SCRIPT", Word, Plain),
    command("SDIFF", At(1), Plain),
    command("SDIFFSTORE", At(1), Plain),
    command("SELECT", None, Plain),
    command("SENTINEL", Word, Plain),
    command("SET", At(1), Plain),
    command("SETBIT", At(1), Plain),
    command("SETEX", At(1), Plain),
    command("SETNX", At(1), Plain),
    command("SETRANGE", At(1), Plain),
    command("SHUTDOWN", None, Plain),
    command("SINTER", At(1), Plain),
    command("SINTERCARD", Counted(1), Plain),
    command("SINTERSTORE", At(1), Plain),
    command("SISMEMBER", At(1), Plain),
    command("SLAVEOF", None, Plain),
    command("SLOWLOG", Word, Plain),
    command("SMEMBERS", At(1), Plain),
    command("SMISMEMBER", At(1), Plain),
    command("SMOVE", At(1), Plain),
    command("SORT", At(1), Plain),
    command("SORT_RO", At(1), Plain),
    command("SPOP", At(1), Plain),
    command("SPUBLISH", At(1), Plain),
    command("SRANDMEMBER", At(1), Plain),
    command("SREM", At(1), Plain),
    command("SSCAN", At(1), Plain),
    command("SSUBSCRIBE", At(1), Subscribes),
    command("STRLEN", At(1), Plain),
    command("SUBSCRIBE", At(1), Subscribes),
    command("SUBSTR", At(1), Plain),
    command("SUNION", At(1), Plain),
    command("SUNIONSTORE", At(1), Plain),
    command("SUNSUBSCRIBE", At(1), Subscribes),
    command("SWAPDB", None, Plain),
    command("SYNC", None, Session),
    command("TIME", None, Plain),
    command("TOUCH", At(1), Plain),
    command("TTL", At(1), Plain),
    command("TYPE", At(1), Plain),
    command("UNLINK", At(1), Plain),
    command("UNSUBSCRIBE", At(1), Subscribes),
    command("UNWATCH", None, Plain),
    command("VADD", At(1), Plain),
    command("VCARD", At(1), Plain),
    command("VDIM", At(1), Plain),
    command("VEMB", At(1), Plain),
    command("VGETATTR", At(1), Plain),
    command("VINFO", At(1), Plain),
    command("VISMEMBER", At(1), Plain),
    command("VLINKS", At(1), Plain),
    command("VRANDMEMBER", At(1), Plain),
    command("VREM", At(1), Plain),
    command("VSETATTR", At(1), Plain),
    command("VSIM", At(1), Plain),
    command("WAIT", None, Blocks),
    command("WAITAOF", None, Blocks),
    command("WATCH", At(1), Plain),
    command("XACK", At(1), Plain),
    command("XACKDEL", At(1), Plain),
    command("XADD", At(1), Plain),
    command("XAUTOCLAIM", At(1), Plain),
    command("XCLAIM", At(1), Plain),
    command("XDEL", At(1), Plain),
    command("XDELEX", At(1), Plain),
    command("XGROUP", WordThenKey, Plain),
    command("XINFO", WordThenKey, Plain),
    command("XLEN", At(1), Plain),
    command("XPENDING", At(1), Plain),
    command("XRANGE", At(1), Plain),
    command("XREAD", After("STREAMS"), Plain),
    command("XREADGROUP", After("STREAMS"), Plain),
    command("XREVRANGE", At(1), Plain),
    command("XSETID", At(1), Plain),
    command("XTRIM", At(1), Plain),
    command("ZADD", At(1), Plain),
    command("ZCARD", At(1), Plain),
    command("ZCOUNT", At(1), Plain),
    command("ZDIFF", Counted(1), Plain),
    command("ZDIFFSTORE", At(1), Plain),
    command("ZINCRBY", At(1), Plain),
    command("ZINTER", Counted(1), Plain),
    command("ZINTERCARD", Counted(1), Plain),
    command("ZINTERSTORE", At(1), Plain),
    command("ZLEXCOUNT", At(1), Plain),
    command("ZMPOP", Counted(1), Plain),
    command("ZMSCORE", At(1), Plain),
    command("ZPOPMAX", At(1), Plain),
    command("ZPOPMIN", At(1), Plain),
    command("ZRANDMEMBER", At(1), Plain),
    command("ZRANGE", At(1), Plain),
    command("ZRANGEBYLEX", At(1), Plain),
    command("ZRANGEBYSCORE", At(1), Plain),
    command("ZRANGESTORE", At(1), Plain),
    command("ZRANK", At(1), Plain),
    command("ZREM", At(1), Plain),
    command("ZREMRANGEBYLEX", At(1), Plain),
    command("ZREMRANGEBYRANK", At(1), Plain),
    command("ZREMRANGEBYSCORE", At(1), Plain),
    command("ZREVRANGE", At(1), Plain),
    command("ZREVRANGEBYLEX", At(1), Plain),
    command("ZREVRANGEBYSCORE", At(1), Plain),
    command("ZREVRANK", At(1), Plain),
    command("ZSCAN", At(1), Plain),
    command("ZSCORE", At(1), Plain),
    command("ZUNION", Counted(1), Plain),
    command("ZUNIONSTORE", At(1), Plain),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_command_is_found() {
        assert!(COMMANDS.is_sorted_by(|a, b| a.name < b.name));
        for command in COMMANDS {
            assert_eq!(find(command.name), Some(command));
            assert!(command.name.len() <= LONGEST_NAME);
        }
        assert_eq!(find("JSON.SET").map(|command| command.keys), Some(At(1)));
        assert_eq!(find("NOSUCH"), Option::None);
    }
}
