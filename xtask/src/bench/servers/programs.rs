//! The programs that are measured, by what they are written in: compiled or found, and how each is called. It starts none of them.

use super::bench::Bench;
use super::program::Program;
use crate::Result;
use crate::project;
use std::path::Path;
use std::process::{Command, Stdio};

impl Bench {
    /// A C server of `tests/apps/bench`, built anew.
    pub(in crate::bench) fn c(&self, name: &str) -> Result<Program> {
        self.app(&format!("bench/{name}"))
    }

    /// A C program of `tests/apps` by its path without the ending, built anew.
    pub(in crate::bench) fn app(&self, path: &str) -> Result<Program> {
        let built = self.folder.join(path.replace('/', "-"));
        let mut cc = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
        cc.args(["-O2", "-pthread", "-Wall", "-Wextra", "-o"])
            .arg(&built)
            .arg(self.sources.join(path).with_extension("c"));
        project::check(&mut cc)?;
        Ok(Program { words: vec![built] })
    }

    /// A Node program of `tests/apps/bench`; `None` without Node.
    pub(in crate::bench) fn node(&self, name: &str) -> Option<Program> {
        self.script("node", &format!("bench/{name}"))
    }

    /// A program of `tests/apps` by its path; `None` without what runs it.
    pub(in crate::bench) fn script(&self, interpreter: &str, path: &str) -> Option<Program> {
        has(interpreter).then(|| Program { words: vec![interpreter.into(), self.sources.join(path)] })
    }

    /// The Go program of `tests/apps/go`, built anew without C; `None` without Go.
    pub(in crate::bench) fn go(&self) -> Result<Option<Program>> {
        if !has("go") {
            return Ok(None);
        }
        let built = self.folder.join("go-server");
        let mut build = Command::new("go");
        build.env("CGO_ENABLED", "0").env("GO111MODULE", "off").env("GOCACHE", self.folder.join("go-cache"));
        build.args(["build", "-o"]).arg(&built).arg(self.sources.join("go/server.go"));
        project::check(&mut build)?;
        Ok(Some(Program { words: vec![built] }))
    }

    /// The nginx of `tests/apps/nginx`, each of whose two workers has a listening socket of its own; `None` without nginx.
    pub(in crate::bench) fn nginx(&self) -> Result<Option<Program>> {
        if !has("nginx") {
            return Ok(None);
        }
        let own = self.folder.join("nginx");
        std::fs::create_dir_all(&own)?;
        let given = std::fs::read_to_string(self.sources.join("nginx/nginx.conf"))?;
        let listen = "listen 127.0.0.1:@PORT@";
        if !given.contains(listen) {
            return Err(format!("the configuration of nginx has no '{listen}'").into());
        }
        let text = given
            .replace(listen, &format!("{listen} reuseport"))
            .replace("@TEMP@", &own.display().to_string());
        std::fs::write(own.join("template"), text)?;
        // It cannot read the environment.
        let start = "sed \"s|@PORT@|$PORT|\" \"$0/template\" > \"$0/nginx.conf\" && exec nginx -p \"$0\" -c \"$0/nginx.conf\" -g \"pid $0/nginx.pid;\"";
        Ok(Some(Program { words: vec!["sh".into(), "-c".into(), start.into(), own] }))
    }

    /// A Python server of `tests/apps/bench`; `None` where that package is not installed.
    pub(in crate::bench) fn python(&self, package: &str) -> Option<Program> {
        let mut import = Command::new("python3");
        import.args(["-c", &format!("import {package}")]).stderr(Stdio::null());
        let is_there = import.status().is_ok_and(|status| status.success());
        let script = self.sources.join("bench/python_server.py");
        is_there.then(|| Program { words: vec!["python3".into(), script] }.with(package))
    }
}

/// Whether a program of this name is on the search path.
pub(in crate::bench) fn has(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| is_program(&folder.join(name)))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}
