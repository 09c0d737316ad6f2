//! Commands: their names, and what answers them.

use super::reply::Expect;

/// `mysql.command`, as the server's source names it (enum_server_command).
pub(super) fn name(command: u8) -> &'static str {
    match command {
        0x00 => "sleep",
        0x01 => "quit",
        0x02 => "init_db",
        0x03 => "query",
        0x04 => "field_list",
        0x05 => "create_db",
        0x06 => "drop_db",
        0x07 => "refresh",
        0x08 => "shutdown",
        0x09 => "statistics",
        0x0a => "process_info",
        0x0b => "connect",
        0x0c => "process_kill",
        0x0d => "debug",
        0x0e => "ping",
        0x0f => "time",
        0x10 => "delayed_insert",
        0x11 => "change_user",
        0x12 => "binlog_dump",
        0x13 => "table_dump",
        0x14 => "connect_out",
        0x15 => "register_slave",
        0x16 => "stmt_prepare",
        0x17 => "stmt_execute",
        0x18 => "stmt_send_long_data",
        0x19 => "stmt_close",
        0x1a => "stmt_reset",
        0x1b => "set_option",
        0x1c => "stmt_fetch",
        0x1d => "daemon",
        0x1e => "binlog_dump_gtid",
        0x1f => "reset_connection",
        0x20 => "clone",
        0xfa => "stmt_bulk_execute",
        _ => "unknown_command",
    }
}

/// What answers a command; `None` where nothing does.
pub(super) fn answer(command: u8) -> Option<Expect> {
    match command {
        0x01 | 0x18 | 0x19 => None,
        0x03 | 0x0a | 0x17 | 0xfa => Some(Expect::Result),
        0x04 => Some(Expect::Fields),
        0x09 => Some(Expect::Text),
        0x11 => Some(Expect::Login),
        0x12 | 0x1e => Some(Expect::Events),
        0x16 => Some(Expect::Prepared),
        0x1c => Some(Expect::Rows),
        _ => Some(Expect::Done),
    }
}
