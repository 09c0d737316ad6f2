//! What a command line runs: the script of an interpreter, the jar of a Java machine. Pure.
//!
//! Of a command line only the last part of the script's path is kept: arguments hold secrets.

/// Longer names are cut: they come from whoever started the process.
const LONGEST: usize = 64;

/// Servers that are told which application to run: `uvicorn orders:app`, `gunicorn -w 4 orders.wsgi`.
const HOSTS: &[&str] = &["uvicorn", "gunicorn", "hypercorn", "daphne", "granian", "celery", "flask"];

/// The script or jar that a command line runs, without its extension. `None` where a process is its program.
pub(crate) fn script(cmdline: &[u8]) -> Option<String> {
    let arguments: Vec<&str> = cmdline
        .split(|byte| *byte == 0)
        .take(256)
        .map(|argument| std::str::from_utf8(argument).unwrap_or(""))
        .collect();
    let (program, rest) = arguments.split_first()?;
    let program = base(program);
    let interpreter = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    match interpreter {
        "python" | "pypy" => python(rest),
        "node" | "nodejs" | "bun" | "deno" | "tsx" | "ts-node" => {
            let rest = match rest.split_first() {
                Some((&("run" | "start"), rest)) => rest,
                _ => rest,
            };
            plain(
                rest,
                &["-r", "--require", "--import", "--loader", "-C"],
                &["-e", "--eval", "-p", "--print"],
            )
        }
        "ruby" => plain(rest, &["-I", "-r", "-C"], &["-e"]),
        "perl" => plain(rest, &["-I"], &["-e", "-E"]),
        "php" => plain(rest, &["-c", "-d", "-t"], &["-r", "-S"]),
        "bash" | "sh" | "dash" | "zsh" | "ksh" | "ash" => plain(rest, &["-o", "+o"], &["-c", "-lc", "-ec"]),
        "Rscript" | "lua" | "luajit" | "tclsh" | "guile" => plain(rest, &[], &["-e"]),
        "java" => java(rest),
        "dotnet" => rest.iter().find(|argument| argument.ends_with(".dll")).and_then(|dll| named(dll)),
        _ => HOSTS.contains(&program).then(|| application(rest)).flatten(),
    }
}

fn python(rest: &[&str]) -> Option<String> {
    let mut arguments = rest.iter().enumerate();
    while let Some((index, &argument)) = arguments.next() {
        match argument {
            "-c" | "-" | "" => return None,
            "-m" => {
                let module = *rest.get(index + 1)?;
                let hosted = HOSTS.contains(&module).then(|| application(&rest[index + 2..])).flatten();
                return hosted.or_else(|| clean(module));
            }
            "-W" | "-X" | "--check-hash-based-pycs" => {
                arguments.next();
            }
            option if option.starts_with('-') => {}
            script => {
                let hosted = HOSTS.contains(&base(script)).then(|| application(&rest[index + 1..])).flatten();
                return hosted.or_else(|| named(script));
            }
        }
    }
    None
}

/// `orders.main:app` is `orders.main`; `main:app` is `main`.
fn application(rest: &[&str]) -> Option<String> {
    let application = rest.iter().find(|argument| {
        !argument.starts_with('-')
            && argument.split_once(':').is_some_and(|(module, object)| {
                !module.contains('/')
                    && object.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
            })
    })?;
    clean(application.split(':').next()?)
}

/// The first argument that is no option. `with_value` take the next argument; after `inline` there is no script.
fn plain(rest: &[&str], with_value: &[&str], inline: &[&str]) -> Option<String> {
    let mut arguments = rest.iter();
    while let Some(&argument) = arguments.next() {
        if inline.contains(&argument) || argument.is_empty() || argument == "-" {
            return None;
        }
        if with_value.contains(&argument) {
            arguments.next();
        } else if !argument.starts_with(['-', '+']) {
            return named(argument);
        }
    }
    None
}

fn java(rest: &[&str]) -> Option<String> {
    const WITH_VALUE: &[&str] = &[
        "-cp",
        "-classpath",
        "--class-path",
        "-p",
        "--module-path",
        "--add-opens",
        "--add-exports",
        "--add-modules",
        "--add-reads",
    ];
    let mut arguments = rest.iter();
    while let Some(&argument) = arguments.next() {
        match argument {
            "-jar" => return arguments.next().and_then(|jar| named(jar)).map(|jar| without_version(&jar)),
            "-m" | "--module" => {
                let module = arguments.next()?;
                return clean(module.rsplit(['/', '.']).next()?);
            }
            option if WITH_VALUE.contains(&option) => {
                arguments.next();
            }
            option if option.starts_with('-') || option.starts_with('@') || option.is_empty() => {}
            class => return clean(class.rsplit('.').next()?),
        }
    }
    None
}

/// `orders-service-1.4.2-SNAPSHOT` is `orders-service`.
fn without_version(jar: &str) -> String {
    let version =
        jar.match_indices('-').find(|(at, _)| jar[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
    version.map_or(jar, |(at, _)| &jar[..at]).to_owned()
}

fn base(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// The last part of a path without the extension of a script.
fn named(path: &str) -> Option<String> {
    let base = base(path);
    let stem = match base.rsplit_once('.') {
        Some((
            stem,
            "py" | "pyc" | "js" | "mjs" | "cjs" | "ts" | "rb" | "pl" | "php" | "sh" | "jar" | "dll" | "lua"
            | "R" | "war",
        )) => stem,
        _ => base,
    };
    clean(stem)
}

/// A name that can be shown: printable and short.
pub(crate) fn clean(name: &str) -> Option<String> {
    let printable: String = name.trim().chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    (!printable.is_empty()).then_some(printable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_jars_name_their_interpreters() {
        let cases = [
            ("python app.py --password x", Some("app")),
            ("/usr/bin/python3.12 -u -X dev /srv/orders.py", Some("orders")),
            ("python3 -m http.server 8000", Some("http.server")),
            ("python3 -m uvicorn orders.main:app --port 80", Some("orders.main")),
            ("/venv/bin/python /venv/bin/gunicorn -w 4 -b 0.0.0.0:80 pay:create_app()", Some("pay")),
            ("python3 -c print(1)", None),
            ("python3", None),
            ("node --require ./trace.js server.js", Some("server")),
            ("node -e 1", None),
            ("deno run --allow-net main.ts", Some("main")),
            ("java -Xmx1g -jar /opt/orders-service-1.4.2-SNAPSHOT.jar --secret=x", Some("orders-service")),
            ("java -cp a.jar:b.jar org.example.Gateway arg", Some("Gateway")),
            ("ruby -I lib bin/web.rb", Some("web")),
            ("perl server.pl", Some("server")),
            ("bash /srv/run.sh", Some("run")),
            ("bash -c sleep", None),
            ("dotnet Shop.Api.dll", Some("Shop.Api")),
            ("uvicorn orders:app", Some("orders")),
            ("nginx: master process", None),
            ("/usr/sbin/redis-server *:6379", None),
            ("", None),
        ];
        for (line, expect) in cases {
            let cmdline = line.replace(' ', "\0");
            assert_eq!(script(cmdline.as_bytes()).as_deref(), expect, "{line}");
        }
    }

    #[test]
    fn names_are_short_and_printable() {
        assert_eq!(clean("a\u{1b}[31mb").as_deref(), Some("a[31mb"));
        assert_eq!(clean(&"x".repeat(500)).map(|name| name.len()), Some(LONGEST));
        assert_eq!(script(b"python\0\xff\xfe\0"), None);
    }
}
