//! LDAP: slapd, asked by ldap3 and by OpenLDAP's ldapsearch.

use wirewise_model::Call;

use crate::Scenario;
use crate::ground::{Ground, Need};
use crate::witness::{Pair, Rows};

const PORT: u16 = 389;
const CONFIGURATION: &str = "include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
maxsize 16777216
suffix dc=shop,dc=test
rootdn cn=admin,dc=shop,dc=test
rootpw sesame
";

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "ldap",
    protocols: &["ldap"],
    needs: &[
        Need { program: "slapd", package: "slapd" },
        Need { program: "ldapsearch", package: "ldap-utils" },
    ],
    serve,
    unasked,
    fields: &["ldap.response_to"],
    pairs,
};

fn serve(ground: &Ground) {
    let data = ground.folder("data", None);
    let configuration = ground.file("slapd.conf", &format!("{CONFIGURATION}directory {data}\n"));
    let mut server = ground.command("slapd");
    server.args(["-d", "0", "-h", &format!("ldap://127.0.0.1:{PORT}"), "-f", &configuration]);
    ground.start("slapd", &mut server);
    ground.wait_tcp(PORT);
}

fn unasked(call: &Call) -> bool {
    matches!(&*call.exchange.operation, "unbind")
}

fn pairs(rows: &Rows) -> Vec<Pair> {
    rows.answered("ldap.response_to")
}
