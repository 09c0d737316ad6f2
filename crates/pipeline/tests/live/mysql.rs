//! MySQL: MariaDB's server, and PyMySQL.

use wirewise_model::Call;

use crate::Scenario;
use crate::ground::{Ground, Need};
use crate::witness::{Pair, Rows};

const PORT: u16 = 3306;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "mysql",
    protocols: &["mysql"],
    needs: &[
        Need { program: "mariadbd", package: "mariadb-server-core" },
        Need { program: "mariadb-install-db", package: "mariadb-server-core" },
        Need { program: "my_print_defaults", package: "mariadb-client-core" },
    ],
    serve,
    unasked,
    fields: &["mysql.command", "mysql.login_request"],
    pairs,
};

fn serve(ground: &Ground) {
    let data = ground.folder("data", None);
    let mut install = ground.command("mariadb-install-db");
    install.args(["--no-defaults", "--user=root", "--auth-root-authentication-method=normal"]);
    install.args(["--skip-test-db", "--innodb-flush-method=nosync", &format!("--datadir={data}")]);
    ground.run(&mut install);
    let mut start = "CREATE USER shop@localhost IDENTIFIED BY 'sesame';\n".to_owned();
    start += "CREATE DATABASE shop;\nGRANT ALL ON shop.* TO shop@localhost;\n";
    let start = ground.file("start.sql", &start);
    let mut server = ground.command("mariadbd");
    server.args(["--no-defaults", "--user=root", "--bind-address=127.0.0.1", "--innodb-flush-method=nosync"]);
    server.args([&format!("--datadir={data}"), &format!("--port={PORT}"), &format!("--socket={data}/socket")]);
    server.arg(format!("--init-file={start}"));
    ground.start("mariadbd", &mut server);
    ground.wait_tcp(PORT);
}

/// PyMySQL sets its character set and autocommit by itself.
fn unasked(call: &Call) -> bool {
    matches!(&*call.exchange.operation, "SET")
}

/// A command, or a login, and the last packet of the server before the next.
fn pairs(rows: &Rows) -> Vec<Pair> {
    let quits = |row: &crate::witness::Row| row.value("mysql.command") == Some("1");
    rows.turns(
        PORT,
        |row| usize::from(row.has("mysql.command") && !quits(row) || row.has("mysql.login_request")),
        |_| true,
    )
}
