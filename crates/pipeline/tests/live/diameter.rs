//! Diameter: freeDiameterd between a client and a server of python-diameter, to which it relays; both legs are heard.

use wirewise_model::Call;

use crate::Scenario;
use crate::ground::{Ground, Need};
use crate::witness::{Pair, Rows};

const PORT: u16 = 3868;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "diameter",
    protocols: &["diameter"],
    needs: &[
        Need { program: "freeDiameterd", package: "freediameterd" },
        Need { program: "openssl", package: "openssl" },
    ],
    serve,
    unasked,
    fields: &["diameter.answer_to"],
    pairs,
};

fn serve(ground: &Ground) {
    // freeDiameter takes no address of 127.0.0.0/8 for its own.
    ground.run(ground.command("ip").args(["address", "add", "10.9.8.7/32", "dev", "lo"]));
    let (key, certificate) = (ground.path("key.pem"), ground.path("certificate.pem"));
    let mut openssl = ground.command("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=relay.shop.test"]);
    openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
    ground.run(&mut openssl);
    let (key, certificate) = (key.display(), certificate.display());
    let mut text = format!("Identity = \"relay.shop.test\";\nRealm = \"shop.test\";\nPort = {PORT};\nSecPort = 0;\n");
    text += "No_SCTP;\nNo_IPv6;\nListenOn = \"10.9.8.7\";\nTwTimer = 6;\n";
    text += &format!("TLS_Cred = \"{certificate}\", \"{key}\";\nTLS_CA = \"{certificate}\";\n");
    text += "TLS_DH_Bits = 1024;\n";
    // Only these two, and without TLS.
    for (name, port) in [("client", 3870), ("server", 3871)] {
        text += &format!("ConnectPeer = \"{name}.shop.test\" {{ ConnectTo = \"10.9.8.7\"; No_TLS; Port = {port}; TcTimer = 1; }};\n");
    }
    let configuration = ground.file("freeDiameter.conf", &text);
    let mut server = ground.command("freeDiameterd");
    server.args(["-c", &configuration]);
    ground.start("freeDiameterd", &mut server);
    ground.wait_tcp(PORT);
    ground.start("server", &mut ground.python("servers/diameter_server.py"));
    ground.wait_said("server", "ready");
}

/// What peers say about themselves.
fn unasked(call: &Call) -> bool {
    call.exchange.kind != wirewise_model::Kind::Unary
}

fn pairs(rows: &Rows) -> Vec<Pair> {
    rows.answered("diameter.answer_to")
}
