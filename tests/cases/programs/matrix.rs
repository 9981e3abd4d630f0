//! The compatibility matrix: a test for each row. Those of CI run always, the others by `cargo xtask matrix`.

use harness::matrix::{TABLE, check};
use std::collections::BTreeSet;

macro_rules! rows {
    ($($test:ident: $name:literal,)*) => {
        /// In the order of the table.
        const NAMES: &[&str] = &[$($name),*];

        $(
            #[test]
            fn $test() {
                check($name);
            }
        )*
    };
}

rows! {
    node_http: "node-http",
    node_net: "node-net",
    node_http2: "node-http2",
    node_cluster: "node-cluster",
    node_cluster_shared: "node-cluster-shared",
    node_threads: "node-threads",
    node_inspect: "node-inspect",
    python_asyncio: "python-asyncio",
    python_uvloop: "python-uvloop",
    python_threads: "python-threads",
    gunicorn_sync: "gunicorn-sync",
    gunicorn_gthread: "gunicorn-gthread",
    gunicorn_uvicorn: "gunicorn-uvicorn",
    gunicorn_preload: "gunicorn-preload",
    uvicorn: "uvicorn",
    hypercorn: "hypercorn",
    waitress: "waitress",
    tornado: "tornado",
    ruby_webrick: "ruby-webrick",
    puma: "puma",
    puma_cluster: "puma-cluster",
    unicorn: "unicorn",
    java_serversocket: "java-serversocket",
    java_nio: "java-nio",
    java_httpserver: "java-httpserver",
    rust_std: "rust-std",
    rust_mio: "rust-mio",
    rust_tokio: "rust-tokio",
    rust_tokio_current: "rust-tokio-current",
    rust_smol: "rust-smol",
    c_epoll: "c-epoll",
    c_epoll_et: "c-epoll-et",
    c_poll: "c-poll",
    c_select: "c-select",
    c_prefork: "c-prefork",
    c_threads: "c-threads",
    c_musl: "c-musl",
    nginx: "nginx",
    perl: "perl",
    php: "php",
    memcached: "memcached",
    redis: "redis",
    c_static: "c-static",
    c_uring: "c-uring",
    go_static: "go-static",
    go_cgo: "go-cgo",
    go_mptcp: "go-mptcp",
    caddy: "caddy",
    refused_setuid: "refused-setuid",
}

#[test]
fn every_row_has_a_test_and_ci_runs_a_dozen() {
    let names: Vec<_> = TABLE.iter().map(|row| row.name).collect();
    assert_eq!(names, NAMES);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "a name stands there twice");
    assert!(TABLE.iter().filter(|row| row.ci).count() >= 12);
}
