//! RADIUS: freeradius, asked by pyrad.

use wirewise_model::Call;

use crate::Scenario;
use crate::ground::{Ground, Need};
use crate::witness::{Pair, Rows};

const PORT: u16 = 1812;
const ACCOUNTING_PORT: u16 = 1813;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "radius",
    protocols: &["radius"],
    needs: &[Need { program: "freeradius", package: "freeradius" }],
    serve,
    unasked,
    fields: &["radius.reqframe"],
    pairs,
};

fn serve(ground: &Ground) {
    let (run, users) = (ground.folder("run", None), ground.file("users", USERS));
    let text = CONFIGURATION.replace("RUN", &run).replace("USERS", &users);
    let home = ground.folder("raddb", None);
    ground.file("raddb/radiusd.conf", &text);
    let mut server = ground.command("freeradius");
    server.args(["-f", "-l", "stdout", "-d", &home]);
    ground.start("freeradius", &mut server);
    ground.wait_udp(PORT);
    ground.wait_udp(ACCOUNTING_PORT);
    ground.wait_said("freeradius", "Ready to process requests");
}

fn unasked(_: &Call) -> bool {
    false
}

fn pairs(rows: &Rows) -> Vec<Pair> {
    rows.answered("radius.reqframe")
}

const USERS: &str = "ada Cleartext-Password := \"sesame\"\n\tFramed-IP-Address = 10.1.2.3\n";

/// The least that answers: two listeners, one client, users of a file.
const CONFIGURATION: &str = r#"
prefix = /usr
logdir = RUN
run_dir = RUN
libdir = /usr/lib/freeradius
max_request_time = 30
cleanup_delay = 5
max_requests = 1024
log {
    destination = stdout
}
security {
    max_attributes = 200
    reject_delay = 0
    status_server = yes
}
thread pool {
    start_servers = 2
    max_servers = 4
    min_spare_servers = 1
    max_spare_servers = 2
    max_requests_per_server = 0
}
client shop {
    ipaddr = 127.0.0.1
    secret = cinnamon
}
modules {
    files {
        filename = USERS
    }
    pap {
    }
    always ok {
        rcode = ok
    }
}
server shop {
    listen {
        type = auth
        ipaddr = 127.0.0.1
        port = 1812
    }
    listen {
        type = acct
        ipaddr = 127.0.0.1
        port = 1813
    }
    authorize {
        files
        pap
    }
    authenticate {
        pap
    }
    preacct {
        ok
    }
    accounting {
        ok
    }
}
"#;
