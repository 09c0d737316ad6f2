//! Messages of the protocols, put together byte by byte, as small as their parsers take them.

/// A length of two bytes, and the text.
pub(crate) fn short(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [&u16::try_from(text.len()).unwrap().to_be_bytes(), text].concat()
}

/// A length of four bytes, and the text.
pub(crate) fn long(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [&u32::try_from(text.len()).unwrap().to_be_bytes(), text].concat()
}

/// A length of one byte, and the text.
pub(crate) fn tiny(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [&[u8::try_from(text.len()).unwrap()], text].concat()
}

/// ASN.1's tag, length and content.
pub(crate) fn tlv(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let content = parts.concat();
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x84], &length[..], &content].concat()
}

pub(crate) fn ldap(id: u8, tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &[vec![2, 1, id], tlv(tag, parts)])
}

pub(crate) fn octets(text: &str) -> Vec<u8> {
    tlv(4, &[text.into()])
}

pub(crate) fn radius(code: u8, id: u8, attributes: &[(u8, &[u8])]) -> Vec<u8> {
    let attribute =
        |(kind, value): &(u8, &[u8])| [&[*kind, u8::try_from(value.len() + 2).unwrap()], *value].concat();
    let body: Vec<u8> = attributes.iter().flat_map(attribute).collect();
    [&[code, id][..], &u16::try_from(20 + body.len()).unwrap().to_be_bytes(), &[id; 16], &body].concat()
}

pub(crate) fn avp(code: u32, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    let mut bytes = code.to_be_bytes().to_vec();
    bytes.push(0x40);
    bytes.extend(&u32::try_from(8 + value.len()).unwrap().to_be_bytes()[1..]);
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

pub(crate) fn diameter(flags: u8, command: u32, application: u32, hop: u32, avps: &[Vec<u8>]) -> Vec<u8> {
    let body = avps.concat();
    let length = u32::try_from(20 + body.len()).unwrap().to_be_bytes();
    let numbers: Vec<u8> = [application, hop, hop].iter().flat_map(|number| number.to_be_bytes()).collect();
    [&[1][..], &length[1..], &[flags], &command.to_be_bytes()[1..], &numbers, &body].concat()
}

/// A packet of MySQL.
pub(crate) fn mysql(number: u8, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    [&length[..3], &[number], body].concat()
}

pub(crate) fn mysql_error(number: u8, code: u16, state: &str, message: &str) -> Vec<u8> {
    mysql(number, [&[0xff][..], &code.to_le_bytes(), b"#", state.as_bytes(), message.as_bytes()].concat())
}

/// A message of PostgreSQL with a type.
pub(crate) fn pg(kind: u8, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[kind], &length[..], body].concat()
}

pub(crate) fn pg_startup(body: &str) -> Vec<u8> {
    let length = u32::try_from(body.len() + 8).unwrap().to_be_bytes();
    [&length[..], &[0, 3, 0, 0], body.as_bytes()].concat()
}

/// A document of BSON from its elements.
pub(crate) fn bson(elements: &[Vec<u8>]) -> Vec<u8> {
    let body = elements.concat();
    let length = u32::try_from(body.len() + 5).unwrap().to_le_bytes();
    [&length[..], &body, &[0]].concat()
}

pub(crate) fn bson_text(name: &str, value: &str) -> Vec<u8> {
    let length = u32::try_from(value.len() + 1).unwrap().to_le_bytes();
    [&[2], name.as_bytes(), &[0], &length[..], value.as_bytes(), &[0]].concat()
}

pub(crate) fn bson_number(name: &str, value: i32) -> Vec<u8> {
    [&[0x10], name.as_bytes(), &[0], &value.to_le_bytes()[..]].concat()
}

pub(crate) fn bson_bytes(name: &str, value: &str) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap().to_le_bytes();
    [&[5], name.as_bytes(), &[0], &length[..], &[0], value.as_bytes()].concat()
}

pub(crate) fn bson_document(name: &str, elements: &[Vec<u8>]) -> Vec<u8> {
    [&[3], name.as_bytes(), &[0], &bson(elements)[..]].concat()
}

/// An OP_MSG.
pub(crate) fn mongo(id: u32, answers: u32, elements: &[Vec<u8>]) -> Vec<u8> {
    let body = [&[0; 5][..], &bson(elements)].concat();
    let head = [u32::try_from(body.len() + 16).unwrap(), id, answers, 2013];
    [head.iter().flat_map(|number| number.to_le_bytes()).collect(), body].concat()
}

/// An envelope of CQL's version 4.
pub(crate) fn cql(version: u8, stream: u8, code: u8, body: impl AsRef<[u8]>) -> Vec<u8> {
    [&[version, 0, 0, stream, code][..], &long(body)].concat()
}

/// A command of Redis.
pub(crate) fn redis(words: &[&str]) -> Vec<u8> {
    let words: Vec<String> = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{}", words.len(), words.concat()).into_bytes()
}

/// A packet of MQTT, shorter than 128 bytes.
pub(crate) fn mqtt(first: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    [vec![first], tiny(parts.concat())].concat()
}

/// A method of AMQP 0-9-1.
pub(crate) fn amqp(channel: u8, class: u16, method: u16, args: &[Vec<u8>]) -> Vec<u8> {
    amqp_frame(1, channel, &[&class.to_be_bytes()[..], &method.to_be_bytes(), &args.concat()].concat())
}

pub(crate) fn amqp_frame(kind: u8, channel: u8, payload: &[u8]) -> Vec<u8> {
    [&[kind, 0, channel][..], &long(payload), &[0xce]].concat()
}

/// A request of Kafka with a header of version 1.
pub(crate) fn kafka(api: u16, version: u16, correlation: u32, client: &str, body: &[u8]) -> Vec<u8> {
    let head = [&api.to_be_bytes()[..], &version.to_be_bytes(), &correlation.to_be_bytes()].concat();
    long([&head[..], &short(client), body].concat())
}

pub(crate) fn kafka_answer(correlation: u32, body: &[u8]) -> Vec<u8> {
    long([&correlation.to_be_bytes()[..], body].concat())
}

/// A batch of one record that holds a value.
pub(crate) fn kafka_batch(value: &str) -> Vec<u8> {
    let length = u32::try_from(49 + value.len()).unwrap().to_be_bytes();
    [&[0; 8][..], &length, &[0; 4], &[2], &[0; 40], &[0, 0, 0, 1], value.as_bytes()].concat()
}

pub(crate) fn http(first: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{first}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

pub(crate) fn json_post(path: &str, body: &str) -> Vec<u8> {
    http(&format!("POST {path} HTTP/1.1"), &[("Host", "shop"), ("Content-Type", "application/json")], body)
}

pub(crate) fn json_answer(body: &str) -> Vec<u8> {
    http("HTTP/1.1 200 OK", &[("Content-Type", "application/json")], body)
}

pub(crate) fn h2_frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes()[..], payload].concat()
}

/// HEADERS of stream 1 with literals that enter the table; `flags` 5 ends the stream, 4 does not.
pub(crate) fn h2_headers(flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    let block = fields.iter().flat_map(|(name, value)| [vec![0x40], tiny(name), tiny(value)].concat());
    h2_frame(1, flags, 1, block.collect::<Vec<u8>>())
}

pub(crate) const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
pub(crate) const H2_SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

/// A frame of a WebSocket, shorter than 126 bytes; the client's mask is zero.
pub(crate) fn ws(first: u8, masked: bool, payload: &str) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    match masked {
        true => [&[first, 0x80 | length, 0, 0, 0, 0], payload.as_bytes()].concat(),
        false => [&[first, length], payload.as_bytes()].concat(),
    }
}
